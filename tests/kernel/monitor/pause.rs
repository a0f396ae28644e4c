//! Other programs commit while the monitor has paused its subscription for a large commit of the
//! engine.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use dwnl::Engine;
use dwnl::engine::{Monitor, MonitorEvent};
use dwnl::model::Ruleset;

use super::super::rules;
use super::super::sets::hosts_in;
use super::super::support::{Namespace, wait_for};
use super::{desired, open, policy};

/// Enough elements for the monitor to pause.
const MANY: usize = 6_000;
const BURST: usize = 5;
const BURSTS_MAX: usize = 200;
/// Far longer than any step of the test.
const TIMEOUT: Duration = Duration::from_secs(60);

#[test]
fn no_foreign_commit_is_missed_during_a_pause() {
    let host = Namespace::new();
    let (mut monitor, mut engine) = open(&host);
    let policies = [0, 1].map(|block| desired(&policy(&hosts_in(block, MANY))));
    let (is_done, overruns) = (AtomicBool::new(false), AtomicUsize::new(0));
    engine.apply(&policies[0]).expect("success");
    thread::scope(|scope| {
        let replacing = scope
            .spawn(|| replace_on_events(&mut monitor, &mut engine, &policies, &is_done, &overruns));
        for _ in 0..BURSTS_MAX {
            for _ in 0..BURST {
                host.run(&["nft", "flush", "chain", "ip", "nat", "DOCKER-BLOCK"]);
            }
            wait_for("the repair", || {
                (replacing.is_finished() || !rules(&host, "DOCKER-BLOCK").is_empty()).then_some(())
            });
            if replacing.is_finished() || overruns.load(Ordering::Relaxed) >= 3 {
                break;
            }
        }
        is_done.store(true, Ordering::Relaxed);
        host.run(&["nft", "add", "table", "ip", "kube"]);
        replacing.join().expect("no apply to fail");
    });
    assert_ne!(
        overruns.into_inner(),
        0,
        "no foreign commit came during a pause, so the test proves nothing"
    );
}

/// Replaces one policy with the other on every event of the monitor.
fn replace_on_events(
    monitor: &mut Monitor,
    engine: &mut Engine,
    policies: &[Ruleset],
    is_done: &AtomicBool,
    overruns: &AtomicUsize,
) {
    for desired in policies.iter().cycle() {
        let events = monitor.wait(Some(TIMEOUT)).expect("monitor events");
        assert!(!events.is_empty(), "no event arrived");
        if is_done.load(Ordering::Relaxed) {
            return;
        }
        let lost = events.iter().filter(|event| matches!(event, MonitorEvent::Overrun)).count();
        overruns.fetch_add(lost, Ordering::Relaxed);
        engine.apply(desired).expect("success");
    }
}
