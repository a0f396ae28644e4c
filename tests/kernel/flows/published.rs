//! Published ports are read from the rules of various programs and versions.

use super::site::{PUBLISHED, Site, policy};
use crate::support::{Answer, Datagrams, Iptables, Topology, apply};

const TARGET: &str = "172.17.0.2:80";

/// The number of flows that are cleared when a refused client becomes allowed.
fn cleared(site: &Site) -> u64 {
    let host = &site.topology.host;
    apply(host, &policy(&["203.0.113.1"], ""));
    let client = &site.topology.client;
    let client = Datagrams::open(client, Topology::ALLOWED, Topology::HOST, PUBLISHED);
    assert_eq!(client.echo(), Answer::Refused);
    let outcome = apply(host, &policy(&[Topology::ALLOWED], ""));
    outcome["flows_cleared"].as_u64().expect("a number")
}

fn unpublish(site: &Site) {
    for chain in ["DOCKER", "DOCKER-INGRESS"] {
        site.topology.host.try_run(&["iptables", "-t", "nat", "-F", chain], "");
    }
    site.topology.host.try_run(&["ip6tables", "-t", "nat", "-F", "DOCKER"], "");
}

#[test]
fn rules_of_every_iptables_version_are_read() {
    let conditions: [&[&str]; 4] = [
        &["!", "-i", "docker0"],
        &[],
        &["-d", Topology::HOST, "!", "-i", "docker0"],
        &["-d", Topology::HOST],
    ];
    for version in Iptables::VERSIONS {
        let (site, iptables) = (Site::new(), Iptables::version(version));
        let publish = |conditions: &[&str]| {
            unpublish(&site);
            let add = ["iptables", "-t", "nat", "-A", "DOCKER"];
            let port = ["-p", "udp", "-m", "udp", "--dport", "8080", "-j", "DNAT", "--to", TARGET];
            iptables.run(&site.topology.host, &[&add, conditions, &port].concat());
        };
        for conditions in conditions {
            publish(conditions);
            assert_eq!(cleared(&site), 1, "{version}: {conditions:?}");
        }
        publish(&["-d", Topology::HOST_SECOND]);
        assert_eq!(cleared(&site), 0, "{version}: published on another address");
    }
}

#[test]
fn ports_of_swarm_and_the_nftables_backend_are_found() {
    let site = Site::new();
    let host = &site.topology.host;
    unpublish(&site);
    host.run(&["iptables", "-t", "nat", "-N", "DOCKER-INGRESS"]);
    let add = ["iptables", "-t", "nat", "-A", "DOCKER-INGRESS", "-p", "udp", "-m", "udp"];
    host.run(&[&add[..], &["--dport", "8080", "-j", "DNAT", "--to", TARGET]].concat());
    assert_eq!(cleared(&site), 1);
    unpublish(&site);

    let backend = "table ip docker-bridges {
        chain nat-prerouting-and-output {
            iifname != \"bridge1\" udp dport 8080 counter dnat to 172.17.0.2:80 comment \"DNAT\"
        }
    }";
    host.try_run(&["nft", "-f", "-"], backend).succeeded();
    assert_eq!(cleared(&site), 1);
}
