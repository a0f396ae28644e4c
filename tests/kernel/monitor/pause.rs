//! Other programs commit while the monitor has paused its subscription for a large commit of the
//! engine.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use dwnl::Engine;
use dwnl::engine::{Monitor, MonitorEvent};
use dwnl::model::Ruleset;
use nix::poll::{PollFd, PollFlags, poll};

use super::super::rules;
use super::super::sets::hosts_in;
use super::super::support::{Namespace, wait_for};
use super::{desired, open, policy};

/// Enough elements for the monitor to pause.
const MANY: usize = 6_000;
const BURST: usize = 5;
const BURSTS_MAX: usize = 200;
/// In milliseconds; far longer than any step of the test.
const TIMEOUT_MS: u16 = 60_000;

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
        let mut descriptors = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
        assert_ne!(poll(&mut descriptors, TIMEOUT_MS), Ok(0), "no event arrived");
        if is_done.load(Ordering::Relaxed) {
            return;
        }
        for event in monitor.read().expect("monitor events") {
            let is_overrun = matches!(event, MonitorEvent::Overrun);
            overruns.fetch_add(usize::from(is_overrun), Ordering::Relaxed);
            engine.observe(&event);
        }
        engine.apply(desired).expect("success");
    }
}
