//! A full set: a source that finds no place in it is not admitted by the entry. Sources in the set and
//! other entries are not concerned.

use std::fmt::Write;

use dwnl::model::SetKind;

use super::super::support::Topology;
use super::entry;
use super::site::Site;

const SET: &str = "limited-web-2-day-2-ip";

/// Fills the set with other sources.
fn fill(site: &Site, number: u32) {
    let mut script = format!("add element inet dwnl {SET} {{\n");
    for number in 0..number {
        let [_, a, b, c] = number.to_be_bytes();
        writeln!(script, "10.{a}.{b}.{c} limit rate 2/day burst 2 packets timeout 1d,")
            .expect("memory");
    }
    site.topology.host.try_run(&["nft", "-f", "-"], &(script + "}")).succeeded();
}

#[test]
fn a_full_set_admits_no_further_source() {
    let mut site = Site::new();
    let other =
        "[[allow]]\nports = ['8080/udp']\nfrom = ['192.0.2.77']\nlimit = '4/day per source'\n";
    let text = format!("{}{other}", entry("limit = '2/day per source'"));
    site.topology.add_client("192.0.2.77");
    site.apply(&text);
    site.expect_answers(Topology::ALLOWED, Topology::HOST, 1, 1);
    fill(&site, SetKind::LIMITED_SOURCES - 1);
    site.expect_answers(Topology::REFUSED, Topology::HOST, 2, 0);
    // It was in the set before, and has one flow left.
    site.expect_answers(Topology::ALLOWED, Topology::HOST, 3, 1);
    site.expect_answers("192.0.2.77", Topology::HOST, 6, 4);
    site.expect_answers(Topology::ALLOWED6, Topology::HOST6, 3, 2);
    let element = format!("delete element inet dwnl {SET} {{ 10.0.0.7 }}");
    site.topology.host.run(&["nft", &element]);
    site.expect_answers(Topology::REFUSED, Topology::HOST, 3, 2);
}
