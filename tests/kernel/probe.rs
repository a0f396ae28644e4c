//! How a kernel handles `socket cgroupv2`, according to dwnl's probe, to nft, and to a real
//! connection.

use std::env;
use std::fs;
use std::path::Path;

use dwnl::Engine;
use dwnl::engine::{CgroupProbe, Monitor, MonitorEvent};

use super::ruleset;
use super::support::{Answer, Cgroup, Namespace, Topology, tcp, tcp_echo};

fn probe(host: &Namespace) -> CgroupProbe {
    host.inside(Engine::probe_cgroup).expect("an answer")
}

#[test]
fn the_probe_agrees_with_a_real_connection() {
    let Topology { host, client } = Topology::new();
    let probed = probe(&host);
    let loads = host.inside(Engine::open).expect("an engine").loads_cgroup().expect("an answer");
    assert_eq!(ruleset(&host), "", "neither leaves anything behind");
    println!("{probed:?}, loads: {loads}");

    let _server = tcp_echo(&host, 8080);
    // Every socket is below the root.
    let root = Cgroup::nft_root();
    let first = "tcp dport 8080 tcp flags & (syn | ack) == syn";
    let counting = format!(
        "table inet counting {{
            chain input {{
                type filter hook input priority 0;
                {first} socket cgroupv2 level 0 \"{root}\" counter
            }}
        }}"
    );
    let loaded = host.try_run(&["nft", "-f", "-"], &counting).status.success();
    assert_eq!(loads, loaded);
    if !loaded {
        assert_eq!(probed, CgroupProbe::Refuses);
        return;
    }
    for (source, target) in
        [(Topology::ALLOWED, Topology::HOST), (Topology::ALLOWED6, Topology::HOST6)]
    {
        assert_eq!(tcp(&client, source, target, 8080), Answer::Answered);
    }
    let listing = host.run(&["nft", "list", "table", "inet", "counting"]);
    let expected = match listing {
        _ if listing.contains("counter packets 2 ") => CgroupProbe::Matches,
        _ if listing.contains("counter packets 0 ") => CgroupProbe::Ignores,
        _ => panic!("only one of two packets was counted: {listing}"),
    };
    assert_eq!(probed, expected);
}

/// Rules and settings that drop a packet after it has passed the probe's chain.
const STRICT: &str = "
    table inet strict {
        chain input { type filter hook input priority -400; policy drop; }
        chain prerouting { type filter hook prerouting priority raw; notrack; }
    }";

#[test]
fn later_drops_do_not_disturb_the_probe() {
    let host = Namespace::new();
    let undisturbed = probe(&host);
    assert_ne!(undisturbed, CgroupProbe::Unknown);
    host.try_run(&["nft", "-f", "-"], STRICT).succeeded();
    for setting in ["all/rp_filter", "lo/rp_filter", "all/log_martians"] {
        host.run(&["sh", "-c", &format!("echo 1 > /proc/sys/net/ipv4/conf/{setting}")]);
    }
    let before = ruleset(&host);
    assert_eq!(probe(&host), undisturbed);
    assert_eq!(ruleset(&host), before);
}

/// The result of a probe whose packet is lost.
fn without_packets(with_packets: CgroupProbe) -> CgroupProbe {
    match with_packets {
        CgroupProbe::Refuses => CgroupProbe::Refuses,
        _ => CgroupProbe::Unknown,
    }
}

#[test]
fn without_a_packet_the_result_is_unknown() {
    let host = Namespace::new();
    let expected = without_packets(probe(&host));
    host.try_run(
        &["nft", "-f", "-"],
        "table inet mute { chain output { type filter hook output priority 0; oif lo drop; }; }",
    )
    .succeeded();
    assert_eq!(probe(&host), expected);
    host.run(&["nft", "flush", "ruleset"]);
    host.run(&["ip", "link", "set", "lo", "down"]);
    assert_eq!(probe(&host), expected, "the loopback interface is down");
    assert_eq!(ruleset(&host), "");
}

#[test]
fn probes_do_not_disturb_each_other() {
    let host = Namespace::new();
    let alone = probe(&host);
    std::thread::scope(|scope| {
        let probes: Vec<_> = (0..8).map(|_| scope.spawn(|| probe(&host))).collect();
        for other in probes {
            assert_eq!(other.join().expect("an answer"), alone);
        }
    });
    assert_eq!(ruleset(&host), "");
}

/// A dry run is invisible to monitors. They report a probe as an irrelevant change.
#[test]
fn a_probe_is_irrelevant_to_monitors() {
    let host = Namespace::new();
    let mut engine = host.inside(Engine::open).expect("an engine");
    let mut monitor = host.inside(Monitor::open).expect("a monitor");
    engine.loads_cgroup().expect("an answer");
    assert!(monitor.read().expect("monitor events").is_empty());
    let probed = probe(&host);
    let commits = monitor.read().expect("monitor events");
    let number = if probed == CgroupProbe::Refuses { 0 } else { 2 };
    assert_eq!(commits.len(), number, "{commits:?}");
    assert!(!commits.iter().any(MonitorEvent::is_relevant), "{commits:?}");
}

#[test]
fn the_given_namespace_is_probed() {
    let host = Namespace::new();
    let named = Engine::probe_cgroup_in(Path::new(&host.path())).expect("an answer");
    assert_eq!(named, probe(&host));
    let elsewhere = Namespace::new();
    host.run(&["ip", "link", "set", "lo", "down"]);
    let path = host.path();
    let down = elsewhere.inside(|| Engine::probe_cgroup_in(Path::new(&path)).expect("an answer"));
    assert_eq!(down, without_packets(named));
    assert_eq!(probe(&elsewhere), named, "the caller's namespace is unaffected");
}

/// Moves itself into a cgroup and executes a test of this program with CAP_NET_ADMIN alone.
const MOVED: &str = "echo $$ > \"$1/cgroup.procs\" && exec setpriv --bounding-set=-all,+net_admin \
                     \"$0\" --ignored --exact --nocapture probe::prints_the_probe_result";

#[test]
fn the_probe_works_in_a_cgroup_with_net_admin_alone() {
    let host = Namespace::new();
    let cgroup = Cgroup::new();
    let program = env::current_exe().expect("this program");
    let program = program.to_str().expect("a path of letters");
    let inner = cgroup.inner();
    let run = ["sh", "-c", MOVED, program, inner.to_str().expect("a path of letters")];
    let found = host.try_run(&run, "").succeeded();
    let expected = format!("found {:?} at level 2\n", probe(&host));
    assert!(found.contains(&expected), "{expected}{found}");
}

/// Not a test: the test above runs it in a cgroup and with reduced privileges.
#[test]
#[ignore = "run by the_probe_works_in_a_cgroup_with_net_admin_alone"]
fn prints_the_probe_result() {
    let own = fs::read_to_string("/proc/self/cgroup").expect("the own cgroup");
    let path = own.lines().find_map(|line| line.strip_prefix("0::/")).expect("one of v2");
    let level = path.split('/').count();
    println!("found {:?} at level {level}", Engine::probe_cgroup().expect("an answer"));
}
