//! Limits of entries with real flows: how many are admitted. The rates are so low that nothing refills
//! while a test runs.

mod connections;
mod docker_proxy;
mod full;
mod random;
mod reloads;
mod reports;
mod site;

use super::support::Topology;
use site::Site;

const BOTH: [(&str, &str); 2] =
    [(Topology::ALLOWED, Topology::HOST), (Topology::ALLOWED6, Topology::HOST6)];

/// An entry for the published ports with these keys.
fn entry(keys: &str) -> String {
    format!("[[allow]]\nname = 'web'\nports = ['8080/tcp', '8080/udp']\n{keys}\n")
}

#[test]
fn a_burst_is_admitted_and_no_more() {
    let mut site = Site::new();
    for (source, target) in BOTH {
        // Without a limit all flows are admitted.
        site.apply(&entry(""));
        site.expect(source, target, 7, 7);
        site.apply(&entry("limit = '4/day per source'"));
        site.expect(source, target, 7, 4);
        site.expect(source, target, 2, 0);
        site.apply("");
    }
}

#[test]
fn limits_hold_where_a_map_leads_to_them() {
    let mut site = Site::new();
    let others: String =
        (0..40).map(|n| format!("[[allow]]\nports = ['{}']\n", 20_000 + 2 * n)).collect();
    for (source, target) in BOTH {
        site.apply(&(entry("limit = '4/day per source'") + &others));
        let maps = site.topology.host.run(&["nft", "list", "maps"]);
        assert!(maps.contains("8080 : goto allowed-web.8080-udp"), "{maps}");
        site.expect(source, target, 7, 4);
        site.expect(source, target, 2, 0);
        // The other form of the rules is of the same limit, which is used up.
        site.apply(&entry("limit = '4/day per source'"));
        site.expect(source, target, 2, 0);
        site.apply("");
    }
}

#[test]
fn each_source_has_a_rate_of_its_own() {
    let mut site = Site::new();
    site.apply(&entry("limit = '3/day burst 2 per source'"));
    for (source, target) in [
        (Topology::ALLOWED, Topology::HOST),
        (Topology::REFUSED, Topology::HOST),
        (Topology::ALLOWED6, Topology::HOST6),
    ] {
        site.expect(source, target, 5, 2);
    }
    // Of the same network of 64 bits.
    site.expect(Topology::REFUSED6, Topology::HOST6, 3, 0);
    site.topology.client.run(&[
        "ip",
        "address",
        "add",
        "2001:db8:0:1::2/64",
        "dev",
        "eth0",
        "nodad",
    ]);
    site.topology.host.run(&["ip", "route", "add", "2001:db8:0:1::/64", "dev", "eth0"]);
    site.expect("2001:db8:0:1::2", Topology::HOST6, 3, 2);
}

#[test]
fn a_rate_of_the_entry_is_for_all_sources_of_both_families() {
    let mut site = Site::new();
    site.apply(&entry("limit = '5/day'"));
    site.expect(Topology::ALLOWED, Topology::HOST, 2, 2);
    site.expect(Topology::ALLOWED6, Topology::HOST6, 2, 2);
    site.expect(Topology::REFUSED, Topology::HOST, 3, 1);
    site.expect(Topology::REFUSED6, Topology::HOST6, 1, 0);
}

#[test]
fn each_port_has_a_rate_of_its_own() {
    let mut site = Site::new();
    let ports = "[[allow]]\nports = ['8080/udp', '80/udp', '80/tcp']\nlimit = '3/day per port'\n";
    site.apply(ports);
    site.expect_at(Topology::ALLOWED, Topology::HOST, 8080, 5, 3);
    site.expect_at(Topology::ALLOWED6, Topology::HOST6, 8080, 1, 0);
    site.expect_at(Topology::ALLOWED6, Topology::HOST6, 80, 2, 2);
    site.expect_at(Topology::REFUSED, Topology::HOST, 80, 2, 1);
}

#[test]
fn a_flow_that_is_not_answered_yet_is_counted_once() {
    let mut site = Site::silent();
    for (source, target) in BOTH {
        site.apply(&entry("limit = '2/day per source'"));
        let flow = site.flow(source, target, 8080);
        for datagram in 1..=5 {
            flow.send();
            site.has_arrived(datagram);
        }
        let other = site.flow(source, target, 8080);
        other.send();
        site.has_arrived(6);
        assert_eq!(site.counted(), (2, 0), "{source}");
        // The third flow is refused with each of its datagrams.
        let third = site.flow(source, target, 8080);
        third.send();
        third.send();
        site.wait_for_counts((2, 2));
        site.has_arrived(6);
        site.apply("");
        site.forget_arrivals();
    }
}

#[test]
fn another_entry_is_not_limited_and_admits_what_is_above() {
    let mut site = Site::new();
    let other = "[[allow]]\nname = 'office'\nports = ['8080/udp']\nfrom = ['192.0.2.66']\n";
    site.apply(&format!("{}{other}", entry("limit = '2/day'")));
    site.expect(Topology::ALLOWED, Topology::HOST, 4, 2);
    site.expect_answers(Topology::REFUSED, Topology::HOST, 6, 6);
    site.expect_answers(Topology::ALLOWED, Topology::HOST, 2, 0);
}
