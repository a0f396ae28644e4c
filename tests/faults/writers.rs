//! Others that change the ruleset at the same time.

use std::sync::Barrier;
use std::thread;

use super::site::{LARGE, SMALL, host, state};
use super::support::Namespace;

const ROUNDS: usize = 60;

#[test]
fn two_at_once_both_succeed_and_one_of_both_policies_stands() {
    let outcomes = [SMALL, LARGE].map(|action| state(&host(&[action])));
    let host = Namespace::new();
    let mut stood = [0; 2];
    for round in 0..ROUNDS {
        let start = Barrier::new(2);
        thread::scope(|scope| {
            for action in [SMALL, LARGE] {
                let (host, start) = (&host, &start);
                scope.spawn(move || {
                    start.wait();
                    action.run(host).succeeded();
                });
            }
        });
        let after = state(&host);
        let which = outcomes.iter().position(|outcome| *outcome == after);
        stood[which.unwrap_or_else(|| panic!("round {round}: a third ruleset: {after:?}"))] += 1;
    }
    assert!(stood.iter().all(|times| *times > 0), "always the same came last: {stood:?}");
}
