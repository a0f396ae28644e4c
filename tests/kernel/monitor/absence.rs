//! Others commit just while the monitor does not listen, because the engine makes a large commit.

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

/// Large enough for the monitor to leave.
const MANY: usize = 6_000;
const BURST: usize = 5;
const BURSTS_MAX: usize = 200;
/// In milliseconds, far longer than anything here takes.
const PATIENCE: u16 = 60_000;

#[test]
fn nothing_that_others_do_meanwhile_goes_unnoticed() {
    let host = Namespace::new();
    let (mut monitor, mut engine) = open(&host);
    let policies = [0, 1].map(|block| desired(&policy(&hosts_in(block, MANY))));
    let (is_done, losses) = (AtomicBool::new(false), AtomicUsize::new(0));
    engine.apply(&policies[0]).expect("success");
    thread::scope(|scope| {
        let keeping = scope.spawn(|| keep(&mut monitor, &mut engine, &policies, &is_done, &losses));
        for _ in 0..BURSTS_MAX {
            for _ in 0..BURST {
                host.run(&["nft", "flush", "chain", "ip", "nat", "DOCKER-BLOCK"]);
            }
            wait_for("the repair", || {
                (keeping.is_finished() || !rules(&host, "DOCKER-BLOCK").is_empty()).then_some(())
            });
            if keeping.is_finished() || losses.load(Ordering::Relaxed) >= 3 {
                break;
            }
        }
        is_done.store(true, Ordering::Relaxed);
        host.run(&["nft", "add", "table", "ip", "kube"]);
        keeping.join().expect("no apply to fail");
    });
    assert_ne!(losses.into_inner(), 0, "nobody committed meanwhile, which shows nothing");
}

/// Whenever the monitor says so, replaces one policy by the other.
fn keep(
    monitor: &mut Monitor,
    engine: &mut Engine,
    policies: &[Ruleset],
    is_done: &AtomicBool,
    losses: &AtomicUsize,
) {
    for desired in policies.iter().cycle() {
        let mut descriptors = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
        assert_ne!(poll(&mut descriptors, PATIENCE), Ok(0), "nothing more is heard");
        if is_done.load(Ordering::Relaxed) {
            return;
        }
        for notice in monitor.read().expect("notices") {
            let is_lost = matches!(notice, MonitorEvent::Overrun);
            losses.fetch_add(usize::from(is_lost), Ordering::Relaxed);
            engine.observe(&notice);
        }
        engine.apply(desired).expect("success");
    }
}
