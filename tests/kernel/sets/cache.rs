//! An open engine caches the elements of its sets until another program changes something.

use std::path::Path;

use dwnl::model::Ruleset;
use dwnl::{Engine, Policy, compile};

use super::super::support::Namespace;
use super::{hosts, policy, state};

fn desired(sources: &[String]) -> Ruleset {
    compile(&Policy::parse(&policy(sources), "policy.toml", Path::new("")).expect("a policy"))
}

#[test]
fn foreign_changes_between_two_applies_are_undone() {
    let host = Namespace::new();
    let sources = hosts(100);
    let desired = desired(&sources);
    let mut engine = host.inside(Engine::open).expect("an engine");
    engine.apply(&desired).expect("success");
    let intact = state(&host);
    for damage in [
        "add element inet dwnl many-4 { 203.0.113.77 }",
        "delete element inet dwnl many-4 { 10.0.0.0 }",
        "flush set inet dwnl many-4",
        "flush chain inet dwnl allow; flush set inet dwnl many-4; delete set inet dwnl many-4",
    ] {
        host.run(&["nft", damage]);
        assert_ne!(state(&host), intact, "no damage: {damage}");
        let outcome = engine.apply(&desired).expect("success");
        assert!(!outcome.plan.is_empty(), "{damage}");
        assert_eq!(state(&host), intact, "{damage}");
    }
}

#[test]
fn prefetched_state_is_read_again_after_a_foreign_change() {
    let host = Namespace::new();
    let desired = desired(&hosts(100));
    let mut engine = host.inside(Engine::open).expect("an engine");
    engine.apply(&desired).expect("success");
    let intact = state(&host);
    engine.prefetch().expect("success");
    assert!(engine.apply(&desired).expect("success").plan.is_empty());
    for damage in ["flush set inet dwnl many-4", "flush chain ip nat PREROUTING"] {
        engine.prefetch().expect("success");
        host.run(&["nft", damage]);
        assert_ne!(state(&host), intact, "no damage: {damage}");
        let outcome = engine.apply(&desired).expect("success");
        assert_eq!(outcome.attempts, 1, "{damage}");
        assert_eq!(state(&host), intact, "{damage}");
    }
}

#[test]
fn the_next_plan_builds_on_what_the_engine_wrote() {
    let host = Namespace::new();
    let sources = hosts(200);
    let mut engine = host.inside(Engine::open).expect("an engine");
    for range in [0..100, 1..100, 1..101, 100..200, 0..100] {
        let desired = desired(&sources[range.clone()]);
        engine.apply(&desired).expect("success");
        let again = engine.plan(&desired).expect("a plan");
        assert!(again.is_empty(), "{range:?}: {again:?}");
        let fresh = host.inside(Engine::open).expect("an engine").plan(&desired).expect("a plan");
        assert!(fresh.is_empty(), "{range:?}: {fresh:?}");
    }
}
