//! Read-only operations never change the ruleset, not even temporarily.

use std::path::Path;

use dwnl::engine::{Monitor, MonitorEvent};
use dwnl::model::Ruleset;
use dwnl::{Engine, Policy, compile};

use super::ruleset;
use super::support::{Namespace, UNGUARDED, plan, tcp_echo};

/// Names a cgroup that does not exist, because the machine may run a dockerd.
const POLICY: &str = r#"
[[allow]]
ports = ["8080/tcp"]
from = ["192.0.2.2", "2001:db8::2"]

[guard]
docker-cgroup = "dwnl-test-none"
"#;

fn desired(policy: &str) -> Ruleset {
    compile(&Policy::parse(policy, "policy.toml", Path::new("")).expect("a policy"))
}

/// The commits since the last call.
fn commits(monitor: &mut Monitor) -> Vec<MonitorEvent> {
    monitor.read().expect("monitor events")
}

/// Runs every read-only operation, and returns the number of planned changes.
#[track_caller]
fn inspect(host: &Namespace, engine: &mut Engine, policy: &str) -> usize {
    let mut monitor = host.inside(Monitor::open).expect("a monitor");
    let before = (ruleset(host), engine.snapshot().expect("a snapshot").generation);
    let desired = desired(policy);
    let planned = engine.plan(&desired).expect("a plan");
    let previewed = engine.preview(&desired).expect("a preview");
    plan(host, policy);
    let after = (ruleset(host), engine.snapshot().expect("a snapshot").generation);
    assert_eq!(after, before);
    assert_eq!(previewed.generation, before.1);
    assert!(commits(&mut monitor).is_empty());
    assert_eq!(planned.added(), previewed.plan.added());
    planned.added() + planned.removed()
}

/// Docker's rules, and those of other programs.
const OTHERS: &str = "
    table ip nat {
        chain DOCKER { tcp dport 8080 counter dnat to 172.17.0.2:80; }
        chain PREROUTING { type nat hook prerouting priority dstnat; fib daddr type local jump DOCKER; }
    }
    table inet other { chain input { type filter hook input priority 0; ct state new counter; }; }";

#[test]
fn a_plan_is_invisible_to_monitors() {
    for (others, policy) in [("", POLICY), ("", UNGUARDED), (OTHERS, POLICY)] {
        let host = Namespace::new();
        host.try_run(&["nft", "-f", "-"], others).succeeded();
        let _listening = tcp_echo(&host, 9000);
        let mut engine = host.inside(Engine::open).expect("an engine");
        let planned = inspect(&host, &mut engine, policy);
        assert!(planned > 0);

        // The plan predicts what apply does.
        let mut monitor = host.inside(Monitor::open).expect("a monitor");
        let outcome = engine.apply(&desired(policy)).expect("success");
        assert_eq!(outcome.plan.added() + outcome.plan.removed(), planned);
        assert!(!commits(&mut monitor).is_empty());
        assert_eq!(inspect(&host, &mut engine, policy), 0);
        let other = POLICY.replace("8080", "8081");
        assert!(inspect(&host, &mut engine, &other) > 0);
        engine.remove().expect("success");
        assert_eq!(inspect(&host, &mut engine, policy), planned);
    }
}
