//! Servers that lie never let anybody in whom the name does not stand for, least of all everyone.

use super::policy;
use super::servers::{Liar, answer};
use super::site::Site;
use super::support::Topology;

/// The rules that allow a source.
fn allowed(site: &Site) -> Vec<String> {
    let rules = site.host().run(&["iptables", "-t", "nat", "-S", "DOCKER-BLOCK"]);
    let sources = rules.lines().filter(|line| line.contains("dport 8080"));
    sources.map(|line| line.split(" -p ").next().unwrap().to_owned()).collect()
}

#[test]
fn addresses_that_stand_for_everyone_are_left_out() {
    let site = Site::new();
    let everyone = [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [255, 255, 255, 255]];
    let _server = Liar::start(site.host(), move |query| vec![answer(query, 0, &everyone)]);
    let warnings = site.apply(&policy("home.example.net", ""));
    assert!(warnings[0].contains("only addresses that no client can have"), "{warnings:?}");
    assert_eq!(allowed(&site), [""; 0]);
    site.is_refused(Topology::REFUSED);
}

#[test]
fn an_honest_address_among_others_counts() {
    let site = Site::new();
    let mixed = [[0, 0, 0, 0], [192, 0, 2, 2], [127, 0, 0, 1]];
    let _server = Liar::start(site.host(), move |query| vec![answer(query, u32::MAX, &mixed)]);
    let warnings = site.apply(&policy("home.example.net", ""));
    assert!(warnings[0].ends_with("left out: 0.0.0.0, 127.0.0.1"), "{warnings:?}");
    assert_eq!(allowed(&site), ["-A DOCKER-BLOCK -s 192.0.2.2/32"]);
}

#[test]
fn more_addresses_than_permitted_count_as_none() {
    let site = Site::new();
    let many = [[192, 0, 2, 2], [192, 0, 2, 66], [192, 0, 2, 3]];
    let _server = Liar::start(site.host(), move |query| vec![answer(query, 60, &many)]);
    let warnings = site.apply(&policy("home.example.net", ", max-addresses = 2"));
    assert!(warnings[0].contains("3 addresses of one IP version, more than the 2"), "{warnings:?}");
    assert_eq!(allowed(&site), [""; 0]);
    assert_eq!(site.apply(&policy("home.example.net", ", max-addresses = 3")), [""; 0]);
    assert_eq!(allowed(&site).len(), 3);
}

#[test]
fn forged_replies_before_the_true_one_are_ignored() {
    let site = Site::new();
    let _server = Liar::start(site.host(), |query| {
        let forged = (0..100).map(|number: u8| {
            let mut forged = answer(query, 60, &[[192, 0, 2, 66]]);
            forged[1] = forged[1].wrapping_add(number + 1);
            forged
        });
        forged.chain([answer(query, 60, &[[192, 0, 2, 2]])]).collect()
    });
    assert_eq!(site.apply(&policy("home.example.net", "")), [""; 0]);
    assert_eq!(allowed(&site), ["-A DOCKER-BLOCK -s 192.0.2.2/32"]);
}
