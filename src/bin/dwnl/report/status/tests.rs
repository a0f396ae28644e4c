//! What `status` prints for hosts built by hand.

use std::path::Path;

use dwnl::engine::PolicyCounters;
use dwnl::model::{Docker, Family};
use dwnl::{Policy, entry_counters, port_coverage};

use super::super::test_support::text;
use super::refusals::PortRefusals;
use super::*;

const POLICY: &str = r#"
[sources]
load-balancers = ["172.16.0.0/26", "2001:db8:10::/64"]
office = ["198.51.100.7"]
nobody = []
[[allow]]
name = "web"
ports = ["443", "443/udp"]
from = ["load-balancers", "office", "192.0.2.9", "192.0.2.77", "192.0.2.100"]
[[allow]]
ports = ["443"]
from = ["office"]
in-interface = "eth1"
to = ["203.0.113.5", "203.0.113.6"]
[[allow]]
name = "api"
ports = ["8000-8100"]
[[allow]]
name = "closed"
ports = ["9000"]
from = ["nobody"]
"#;

fn policy(guard: bool) -> Policy {
    let text = format!("{POLICY}\n[guard]\nenabled = {guard}\n");
    Policy::parse(&text, "policy.toml", Path::new("")).expect("a policy")
}

fn published(ports: impl IntoIterator<Item = String>) -> Docker {
    let port = |text: String| {
        let (ports, address) = text.split_once(' ').unwrap_or((&text, ""));
        let ports = ports.parse().expect("a port");
        PublishedPort { address: address.parse().ok(), family: Family::Inet, ports }
    };
    Docker { published: ports.into_iter().map(port).collect(), ..Docker::default() }
}

fn ports<'a>(policy: &'a Policy, docker: &Docker) -> Vec<PortReport<'a>> {
    let mut counters = PolicyCounters::default();
    counters.entries = entry_counters(policy, &Default::default());
    counters.entries[0].ports[0].packets = 1_234_567;
    PortReport::all(policy, &port_coverage(policy, docker), &counters, None, false)
}

/// The table of a host with these ports.
fn table(policy: &Policy, docker: &Docker, verbose: bool) -> String {
    let ports = ports(policy, docker);
    super::super::test_support::plain(|out| port_table::write_ports(out, &ports, verbose))
}

fn words(ports: &[&str]) -> Docker {
    published(ports.iter().map(|it| (*it).to_owned()))
}

#[test]
fn each_published_port_is_a_line() {
    let docker = words(&[
        "443",
        "443/udp",
        "5432 203.0.113.5",
        "8001",
        "8003",
        "8005",
        "8007",
        "9000",
        "9001",
    ]);
    let expected = "\
port                     entry      open to                              packets
443/tcp                  web        load-balancers, office +3          1,234,567
                         (no name)  office through eth1 to 203.0.113…          0
443/udp                  web        load-balancers, office +3                  0
5432/tcp on 203.0.113.5  -          nobody
4 of 8000-8100/tcp       api        anyone                                     0
9000/tcp                 closed     nobody (empty group)                       0
9001/tcp                 -          nobody
";
    let printed = table(&policy(true), &docker, false);
    assert!(printed.lines().all(|line| line.chars().count() <= 80), "{printed}");
    assert_eq!(printed, expected);
    let all = table(&policy(true), &docker, true);
    assert!(all.contains("load-balancers, office, 192.0.2.9, 192.0.2.77, 192.0.2.100 "), "{all}");
}

#[test]
fn a_long_table_is_folded() {
    let mut docker = published((1..=30).map(|port| (port * 2).to_string()));
    docker.native = docker.published.clone();
    let printed = table(&policy(false), &docker, false);
    assert_eq!(printed.lines().count(), 1 + 19 + 1, "{printed}");
    let end = "\n38/tcp  -      everyone (unprotected)\n11 lines more; -v shows all\n";
    assert!(printed.ends_with(end), "{printed}");
    assert_eq!(table(&policy(false), &docker, true).lines().count(), 1 + 30);
}

#[test]
fn many_ports_that_nobody_reaches_share_a_line() {
    let blocked = (1..=30).map(|port| (port * 2).to_string());
    let docker = published(blocked.clone());
    let printed = table(&policy(true), &docker, false);
    assert_eq!(printed.lines().nth(1), Some("30 ports; -v lists them  -      nobody"), "{printed}");
    assert_eq!(table(&policy(true), &docker, true).lines().count(), 1 + 30);
    let docker = published(blocked.chain(["443".to_owned()]));
    let printed = table(&policy(true), &docker, false);
    assert!(printed.contains("\n30 others; -v lists them  "), "{printed}");
}

#[test]
fn what_nothing_protects_is_open_to_everyone() {
    let mut docker = words(&["443", "8443"]);
    docker.native = docker.published.clone();
    let printed = table(&policy(false), &docker, false);
    assert_eq!(printed.matches("everyone (unprotected)").count(), 3, "{printed}");
}

#[test]
fn refusals_are_shown_with_the_last_source() {
    let (policy, docker) = (policy(true), words(&["443", "8001", "8003", "8005", "9001"]));
    let mut ports = ports(&policy, &docker);
    let refused = |packets, source: &str, last_seconds| PortRefusals {
        packets,
        last_source: Some(source.to_owned()),
        last_at: None,
        last_seconds: Some(last_seconds),
    };
    ports[0].refused = Some(refused(17, "203.0.113.9", 59));
    ports[1].refused = Some(refused(2, "203.0.113.1", 7200));
    ports[3].refused = Some(refused(3, "203.0.113.3", 3599));
    ports[4].refused =
        Some(PortRefusals { packets: 0, last_source: None, last_at: None, last_seconds: None });
    let printed =
        super::super::test_support::plain(|out| port_table::write_ports(out, &ports, false));
    let expected = "\
port                entry      open to            packets  refused  last refused  ago
443/tcp             web        load-balancers…  1,234,567       17  203.0.113.9   59s
                    (no name)  office through…          0
3 of 8000-8100/tcp  api        anyone                   0        5  203.0.113.3   59m
9001/tcp            -          nobody                            0
";
    assert_eq!(printed, expected);
}

#[test]
fn a_status_is_one_screen() {
    let policy = policy(true);
    let stored = |at: &str| StoredReport {
        source: "/etc/dwnl/policy.toml".to_owned(),
        applied_at: at.to_owned(),
        command: "apply".to_owned(),
        uid: 0,
        login_uid: Some(4_000_000),
    };
    let counts = Counts {
        rules_added: 0,
        rules_removed: 0,
        rules_unchanged: 36,
        elements_added: 0,
        elements_removed: 0,
        elements_unchanged: 100_000,
    };
    let drops =
        |path: &str, packets| DropReport { key: "other", path: path.to_owned(), packets, bytes: 0 };
    let mut status = Status {
        applied: Some(stored("2026-01-09T08:35:07Z")),
        previous: Some(stored("2026-01-02T17:20:41Z")),
        file: FileReport {
            path: "/etc/dwnl/policy.toml".to_owned(),
            state: FileState::Current,
            ..FileReport::default()
        },
        watch: Some(WatchReport {
            pid: 4711,
            policy: Some("/etc/dwnl/policy.toml".to_owned()),
            is_manual: Some(false),
            started_at: Some("2026-01-09T08:35:07Z".to_owned()),
            repair_count: Some(1_234),
            last_repair: Some(RepairReport {
                repaired_at: "2026-01-09T09:00:00Z".to_owned(),
                objects: vec!["ip nat PREROUTING".to_owned()],
                causes: vec!["process nft (pid 7) deleted 1 rule".to_owned()],
            }),
        }),
        kernel: Some(KernelReport { is_in_sync: true, is_enforced: true, counts, generation: 8 }),
        ports: ports(&policy, &words(&["443/udp"])),
        unpublished_ports: UnpublishedReport::all(
            &policy,
            &[("9000", vec![]), ("8000-8100", vec!["81"])]
                .map(|(ports, published): (&str, Vec<&str>)| {
                    let published = published.iter().map(|it| it.parse().expect("a port"));
                    (ports.parse().expect("ports"), published.collect())
                })
                .into(),
        ),
        drops: Some(vec![drops("docker-proxy", 0), drops("published port", 1_234)]),
        limitations: vec!["later ports are open".to_owned()],
        warnings: vec!["a warning".to_owned()],
        ..Status::default()
    };
    let expected = "\
policy:    in force since 2026-01-09T08:35:07Z from /etc/dwnl/policy.toml, by dwnl apply as root (logged in as user 4000000)
file:      /etc/dwnl/policy.toml: current
watch:     process 4711 keeps /etc/dwnl/policy.toml in force since 2026-01-09T08:35:07Z
repaired:  1,234 times, last at 2026-01-09T09:00:00Z: ip nat PREROUTING, after process nft (pid 7) deleted 1 rule
kernel:    in sync: 36 rules, 100,000 set elements
previous:  applied 2026-01-02T17:20:41Z from /etc/dwnl/policy.toml, by dwnl apply as root (logged in as user 4000000)
refused:   1,234 packets: published port 1,234

port     entry  open to                                           packets
443/udp  web    load-balancers, office, 192.0.2.9, 192.0.2.77 +1        0

unused:    Docker does not publish 9000/tcp (closed)
unused:    8000-8100/tcp (api) is the container's port; Docker publishes it as 81/tcp
limit:     later ports are open
warning:   a warning
";
    assert_eq!(text(&status), expected);
    (status.ports, status.applied, status.drops) = (Vec::new(), None, None);
    (status.unpublished_ports, status.limitations) = (Vec::new(), Vec::new());
    status.warnings = Vec::new();
    status.kernel = Some(KernelReport {
        is_in_sync: false,
        is_enforced: false,
        counts: Counts { rules_added: 2, ..counts },
        generation: 8,
    });
    let printed = text(&status);
    assert!(printed.starts_with("policy:    none is stored\n"), "{printed}");
    let end = "
kernel:    differs from the policy: 2 rules to add, 0 to remove, 36 unchanged
open:      published ports may be open to anyone: dwnl's rules are not all in place
";
    assert!(printed.contains(end), "{printed}");
    assert!(printed.ends_with("\nports:     Docker publishes none\n"), "{printed}");
}
