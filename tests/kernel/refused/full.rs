//! A full set: nothing more is recorded, and everything is dropped as before.

use std::fmt::Write;

use dwnl::model::{IpVersion, RefusalPath, RefusalSet};

use super::super::support::{Topology, dwnl};
use super::{PUBLISHED, Site, ports, sources};

/// Fills a set with other sources and ports.
fn fill(site: &Site, set: RefusalSet) {
    let mut script = format!("add element inet dwnl {set} {{\n");
    for number in 0..set.capacity() {
        let (high, low) = (number / 256, number % 256);
        let source = match set.version {
            Some(IpVersion::V4) => format!("10.9.{high}.{low} . "),
            Some(IpVersion::V6) => format!("2001:db8:9::{number:x} . "),
            None => String::new(),
        };
        let port = number + 10_000;
        writeln!(script, "{source}udp . {port} counter timeout 1d,").expect("memory");
    }
    site.nft(&(script + "}"));
}

#[test]
fn a_full_set_of_sources_changes_neither_the_verdict_nor_the_number_of_each_port() {
    let mut site = Site::closed();
    let set = RefusalSet { path: PUBLISHED, version: Some(IpVersion::V4) };
    fill(&site, set);
    site.send(Topology::REFUSED, Topology::HOST, 2);
    let report = site.refused();
    let is_recorded = |(_, source, _): &(RefusalPath, String, u64)| source.contains("192.0.2.66");
    assert!(!sources(&report).iter().any(is_recorded));
    assert_eq!(ports(&report), [(PUBLISHED, "8080/udp".into(), 2)]);
    let full: Vec<RefusalSet> =
        report.fill.iter().filter(|it| it.is_full()).map(|it| it.set).collect();
    assert_eq!(full, [set]);

    let output = dwnl(&site.topology.host, &["refused", "--port", "8080/udp"], "");
    let stderr = output.stderr.clone();
    assert!(stderr.contains("16,384 IPv4 sources on the path `published port`"), "{stderr}");
    assert!(output.succeeded().contains("8080/udp        2  published port"));

    // An entry that is deleted makes room again.
    site.nft(&format!("delete element inet dwnl {set} {{ 10.9.0.0 . udp . 10000 }}"));
    site.send(Topology::REFUSED, Topology::HOST, 1);
    assert!(sources(&site.refused()).iter().any(is_recorded));
}

#[test]
fn full_sets_of_ports_and_missing_rules_change_no_verdict() {
    let mut site = Site::closed();
    fill(&site, RefusalSet { path: PUBLISHED, version: None });
    site.send(Topology::REFUSED, Topology::HOST, 1);
    assert_eq!(site.refused().sources.len(), 1);
    site.nft("flush chain inet dwnl refused-published");
    site.send(Topology::REFUSED, Topology::HOST, 1);
    assert_eq!(sources(&site.refused())[0].2, 1, "not recorded any more");
}
