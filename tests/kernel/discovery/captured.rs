//! Rules of real Docker versions, as captured by `scripts/capture-docker-rules`.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use dwnl::model::{Docker, Family, IpVersion};

use super::super::support::{Iptables, Namespace};
use super::{docker, texts};

/// Docker versions, each with the iptables version that it used.
const VERSIONS: [(&str, &str); 3] = [("20.10", "1.8.9"), ("26.1", "1.8.11"), ("28.5", "1.8.13")];

/// What dwnl discovers on the captured host, whose rules this iptables version restores.
fn restored(capture: &str, iptables: &str) -> Docker {
    docker(&restored_host(capture, iptables))
}

fn restored_host(capture: &str, iptables: &str) -> Namespace {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/docker-rules");
    let text = fs::read_to_string(path.join(format!("{capture}.rules"))).expect("a capture");
    let host = Namespace::new();
    for section in text.split("### ").skip(1) {
        let (title, body) = section.split_once('\n').expect("a title");
        match title {
            "links" => body.lines().for_each(|link| add_link(&host, link)),
            family => {
                let program = format!("{family}-restore");
                Iptables::version(iptables).try_run(&host, &[&program], body).succeeded();
            }
        }
    }
    host
}

/// Adds a link from a line `NAME KIND BRIDGE`, where `-` means no bridge. Hardware interfaces
/// became dummies in the capture.
fn add_link(host: &Namespace, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let [name, kind, bridge] = words[..] else { panic!("not a link: {line}") };
    let exists = host.try_run(&["ip", "link", "show", name], "").status.success();
    if !exists {
        host.run(&["ip", "link", "add", name, "type", kind]);
    }
    if bridge != "-" {
        host.run(&["ip", "link", "set", name, "master", bridge]);
    }
}

/// The names of bridges, with generated names cut to `br-`.
fn names<'a>(names: impl IntoIterator<Item = &'a dwnl::model::Name>) -> Vec<String> {
    let name =
        |name: &str| if name.starts_with("br-") { "br-".to_owned() } else { name.to_owned() };
    names.into_iter().map(|it| name(it)).collect()
}

fn routed(docker: &Docker) -> Vec<(IpVersion, String)> {
    docker.routed.iter().map(|(version, name)| (*version, name.to_string())).collect()
}

#[test]
fn all_bridges_of_all_setups_are_discovered() {
    let expected: [(&str, &[&str]); 6] = [
        ("stock", &["br-", "docker0", "inner0", "web0"]),
        ("ipv6", &["docker0", "inner0", "six0"]),
        ("no-proxy", &["docker0", "inner0", "web0"]),
        ("no-icc", &["docker0", "inner0", "plain0", "web0"]),
        ("modes", &["direct0", "docker0", "empty0", "mixed0", "routed0", "routed6"]),
        ("swarm", &["docker0", "docker_gwbridge"]),
    ];
    for (version, iptables) in VERSIONS {
        for (setup, bridges) in expected {
            let capture = format!("{version}-{setup}");
            let docker = restored(&capture, iptables);
            assert_eq!(names(&docker.bridges), bridges, "{capture}");
            assert_eq!(names(&docker.inside), bridges, "{capture}");
            assert!(docker.shared_bridges.is_empty(), "{capture}: {docker:?}");
            assert!(docker.unreadable.is_empty(), "{capture}: {docker:?}");
            assert!(docker.native.is_empty() && docker.has_rules, "{capture}: {docker:?}");
            if !(version == "28.5" && setup == "modes") {
                assert!(docker.routed.is_empty(), "{capture}: {docker:?}");
            }
        }
    }
}

#[test]
fn published_ports_are_read_with_their_addresses() {
    for (version, iptables) in VERSIONS {
        let docker = restored(&format!("{version}-stock"), iptables);
        let mut published = texts(&docker.published);
        published.sort();
        assert_eq!(
            published,
            [
                "8053/udp",
                "8080/tcp",
                "8081/tcp on 127.0.0.1",
                "8082/tcp on 192.0.2.1",
                "8083/tcp on 192.0.2.1",
                "8090/tcp",
                "8091/tcp"
            ],
            "{version}"
        );
    }
}

#[test]
fn the_ports_of_containers_are_read() {
    for (version, iptables) in VERSIONS {
        let docker = restored(&format!("{version}-stock"), iptables);
        let ports = docker.container_ports.iter();
        let mut ports: Vec<_> = ports.map(|(it, port)| (it.ports.first(), *port)).collect();
        ports.sort();
        let expected =
            [(8053, 53), (8080, 80), (8081, 80), (8082, 82), (8083, 83), (8090, 80), (8091, 80)];
        assert_eq!(ports, expected, "{version}");
        let docker = restored(&format!("{version}-ipv6"), iptables);
        let six = docker.container_ports.iter().filter(|(it, _)| it.family == Family::Ip6);
        assert!(six.clone().count() > 0 && six.clone().all(|(_, port)| *port < 1024), "{docker:?}");
    }
}

/// A bridge of the operator that has a host interface as a port.
#[test]
fn a_shared_bridge_is_not_inside() {
    for (version, iptables) in VERSIONS {
        let docker = restored(&format!("{version}-bridge"), iptables);
        assert_eq!(names(&docker.bridges), ["br0"], "{version}");
        assert!(docker.inside.is_empty(), "{version}: {docker:?}");
        assert_eq!(names(docker.shared_bridges.keys()), ["br0"], "{version}");
        assert_eq!(names(&docker.shared_bridges["br0"]), ["uplink0"], "{version}");
    }
}

/// From a few hundred rules on, a second thread reads the filter tables.
#[test]
fn many_rules_for_an_unknown_bridge_change_nothing() {
    for setup in ["modes", "ipv6", "swarm"] {
        let host = restored_host(&format!("28.5-{setup}"), "1.8.13");
        let few = docker(&host);
        assert!(!few.bridges.is_empty(), "{setup}");
        let mut rules = "*filter\n".to_owned();
        for port in 1..=2000 {
            let _ = writeln!(
                rules,
                "-A DOCKER -d 192.0.2.9/32 ! -i gone0 -o gone0 -p tcp -m tcp --dport {port} -j ACCEPT"
            );
        }
        rules += "COMMIT\n";
        let iptables = Iptables::version("1.8.13");
        iptables.try_run(&host, &["iptables-restore", "--noflush"], &rules).succeeded();
        assert_eq!(docker(&host), few, "{setup}");
    }
}

#[test]
fn routed_networks_are_discovered_with_their_ports() {
    let docker = restored("28.5-modes", "1.8.13");
    let expected = [
        (IpVersion::V4, "empty0"),
        (IpVersion::V4, "routed0"),
        (IpVersion::V4, "routed6"),
        (IpVersion::V6, "mixed0"),
        (IpVersion::V6, "routed6"),
    ];
    assert_eq!(routed(&docker), expected.map(|(version, name)| (version, name.to_owned())));
    let mut ports = texts(&docker.routed_ports);
    ports.sort();
    assert_eq!(
        ports,
        [
            "80/tcp on 10.81.0.2",
            "80/tcp on 10.82.0.2",
            "80/tcp on fd00:82::2",
            "80/tcp on fd00:83::2"
        ]
    );
}
