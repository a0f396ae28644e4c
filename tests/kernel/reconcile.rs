//! The library's reconciler, as an embedding program uses it. `dwnl watch` is tested in `tests/watch`.

use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;

use dwnl::reconcile::{ReconcileEvent, Reconciler};
use dwnl::{Engine, Policy};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::support::{Namespace, wait_for};
use super::{POLICY, rules};

fn policy() -> Policy {
    Policy::parse(POLICY, "policy.toml", Path::new("")).expect("a policy")
}

/// Whether the kernel holds the policy.
fn is_in_force(host: &Namespace) -> bool {
    let mut engine = host.inside(Engine::open).expect("an engine");
    engine.plan(&dwnl::compile(&policy())).expect("a plan").is_empty()
}

fn is_readable(descriptors: &[BorrowedFd]) -> bool {
    let mut sources: Vec<PollFd> =
        descriptors.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    poll(&mut sources, PollTimeout::ZERO).expect("to poll") > 0
}

#[test]
fn nothing_is_changed_before_a_policy_is_set() {
    let host = Namespace::new();
    let mut reconciler = Reconciler::open_in(Path::new(&host.path())).expect("a reconciler");
    host.run(&["nft", "add", "table", "ip", "nat"]);
    assert!(reconciler.tick().expect("events").is_empty());
    let first = reconciler.next_deadline().expect("a check");
    wait_for("the first check", || {
        assert!(reconciler.tick().expect("events").is_empty());
        reconciler.next_deadline().is_none_or(|next| next > first).then_some(())
    });
    assert_eq!(host.run(&["nft", "list", "ruleset"]), "table ip nat {\n}\n");
    assert!(reconciler.policy().is_none());
    assert!(reconciler.counters().expect("counters").entries.is_empty());
}

#[test]
fn an_event_loop_repairs_what_others_change() {
    let host = Namespace::new();
    let mut reconciler = host.inside(Reconciler::open).expect("a reconciler");
    let applied = reconciler.set_policy(policy()).expect("success");
    assert!(applied.outcome.plan.added() > 0 && is_in_force(&host));
    assert!(reconciler.tick().expect("events").is_empty(), "its own commits are not reported");
    assert!(!is_readable(&reconciler.poll_fds()) && reconciler.next_deadline().is_none());

    host.run(&["nft", "delete", "table", "inet", "dwnl"]);
    assert!(is_readable(&reconciler.poll_fds()));
    let repair = wait_for("the repair", || {
        reconciler.tick().expect("events").into_iter().find_map(|event| match event {
            ReconcileEvent::Repaired(repair) => Some(repair),
            _ => None,
        })
    });
    assert!(is_in_force(&host));
    let [cause] = &repair.causes.causes[..] else { panic!("not one cause: {repair:?}") };
    assert_eq!((cause.times, repair.is_flapping), (1, false));
    assert!(cause.commit.to_string().ends_with("deleted table inet dwnl"), "{}", cause.commit);
}

#[test]
fn a_policy_that_cannot_be_applied_leaves_the_last_one_in_force() {
    let host = Namespace::new();
    let mut reconciler = host.inside(Reconciler::open).expect("a reconciler");
    reconciler.set_policy(policy()).expect("success");
    let chain = "add chain ip6 nat DOCKER-BLOCK-GUARD { type filter hook input priority 0; }";
    host.run(&["nft", "flush", "table", "ip6", "nat"]);
    host.run(&["nft", "delete", "chain", "ip6", "nat", "DOCKER-BLOCK-GUARD"]);
    host.run(&["nft", chain]);
    reconciler.set_policy(Policy::default()).expect_err("an error");
    assert_eq!(reconciler.policy(), Some(&policy()));
    assert_eq!(rules(&host, "DOCKER-BLOCK").len(), 2, "the last policy");
}

/// As many as follow each other without a pause.
const REPAIRS: usize = 4;

#[test]
fn run_keeps_the_policy_until_the_callback_stops_it() {
    let host = Namespace::new();
    let mut reconciler = host.inside(Reconciler::open).expect("a reconciler");
    reconciler.set_policy(policy()).expect("success");
    let (sender, repairs) = channel();
    thread::scope(|scope| {
        let keeping = scope.spawn(move || {
            let mut count = 0;
            reconciler.run(|event| {
                if let ReconcileEvent::Repaired(repair) = event {
                    count += 1;
                    sender.send(repair.causes.causes.len()).expect("a receiver");
                }
                if count < REPAIRS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
        });
        for _ in 0..REPAIRS {
            host.run(&["iptables", "-t", "nat", "-F", "PREROUTING"]);
            assert_eq!(repairs.recv(), Ok(1));
            assert!(is_in_force(&host));
        }
        keeping.join().expect("no panic").expect("success");
    });
}
