//! What policies compile to.

use super::*;
use crate::policy::Group;
use crate::policy::{Allow, Source};
use crate::ruleset::Protocol;
use crate::ruleset::{AddressRange, Addresses, Ports};

fn source(text: &str) -> Source {
    let addresses = match text.split_once('-') {
        Some((first, last)) => Addresses::Range(
            AddressRange::new(
                first.parse().expect("an address"),
                last.parse().expect("an address"),
            )
            .expect("a range"),
        ),
        None => Addresses::Network(text.parse().expect("a network")),
    };
    Source { addresses, at: None }
}

fn entry(port: u16, sources: &[&str]) -> Allow {
    let sources = sources.iter().map(|text| source(text)).collect();
    let ports = Ports::new(Protocol::Tcp, port, port).expect("a port");
    Allow { from: Some(vec![Group { name: None, sources }]), ..Allow::new(vec![ports]) }
}

fn block(family: Family, policy: &Policy) -> Vec<String> {
    let ruleset = compile(policy);
    let is_block =
        |chain: &&Chain| chain.path.table.family == family && chain.path.chain.as_ref() == BLOCK;
    let chain = ruleset.chains.iter().find(is_block).expect("the chain");
    chain.rules.iter().map(|wanted| wanted.rule.to_string()).collect()
}

#[test]
fn the_empty_policy_is_the_frame_alone() {
    let policy = Policy::default();
    for family in Family::NAT {
        assert!(block(family, &policy).is_empty());
    }
    let chains: Vec<String> =
        compile(&policy).chains.iter().map(|chain| chain.path.to_string()).collect();
    assert_eq!(
        chains,
        [
            "ip nat DOCKER",
            "ip nat DOCKER-BLOCK",
            "ip nat PREROUTING",
            "ip6 nat DOCKER",
            "ip6 nat DOCKER-BLOCK",
            "ip6 nat PREROUTING"
        ]
    );
}

#[test]
fn each_source_goes_to_its_own_family() {
    let policy = Policy {
        allow: vec![entry(443, &["172.16.0.0/26", "2001:db8::1", "192.0.2.1-192.0.2.3"])],
        ..Policy::default()
    };
    assert_eq!(
        block(Family::Ip, &policy),
        [
            "-s 172.16.0.0/26 -p tcp -m tcp --dport 443 -m conntrack --ctstate NEW -j DOCKER",
            "-p tcp -m tcp --dport 443 -m iprange --src-range 192.0.2.1-192.0.2.3 \
             -m conntrack --ctstate NEW -j DOCKER",
        ]
    );
    assert_eq!(
        block(Family::Ip6, &policy),
        ["-s 2001:db8::1/128 -p tcp -m tcp --dport 443 -m conntrack --ctstate NEW -j DOCKER"]
    );
}

#[test]
fn the_same_rule_stands_once_and_anybody_is_no_condition() {
    let policy = Policy {
        allow: vec![entry(80, &["192.0.2.1", "192.0.2.1", "0.0.0.0/0"]), entry(80, &["::/0"])],
        ..Policy::default()
    };
    assert_eq!(
        block(Family::Ip, &policy),
        [
            "-s 192.0.2.1/32 -p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j DOCKER",
            "-p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j DOCKER",
        ]
    );
    assert_eq!(
        block(Family::Ip6, &policy),
        ["-p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j DOCKER"]
    );
}

#[test]
fn destinations_of_the_other_family_leave_no_rule() {
    let to = vec![source("203.0.113.5").addresses];
    let policy =
        Policy { allow: vec![Allow { to, from: None, ..entry(80, &[]) }], ..Policy::default() };
    assert_eq!(
        block(Family::Ip, &policy),
        ["-d 203.0.113.5/32 -p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j DOCKER"]
    );
    assert!(block(Family::Ip6, &policy).is_empty());
}

#[test]
fn a_large_group_is_a_set_of_its_name_in_each_family() {
    let hosts = (1..=64).flat_map(|n| [format!("192.0.2.{n}"), format!("2001:db8::{n}")]);
    let sources: Vec<Source> = hosts.map(|host| source(&host)).collect();
    let group = |sources: Vec<Source>| Group { name: Some("cdn".into()), sources: sources.into() };
    let ports = vec![Ports::new(Protocol::Tcp, 443, 443).expect("a port")];
    let entry = |group| Allow { from: Some(vec![group]), ..Allow::new(ports.clone()) };
    let sets = |allow| -> Vec<String> {
        let ruleset = compile(&Policy { allow, ..Policy::default() });
        ruleset.sets.iter().map(|set| set.path.to_string()).collect()
    };
    let shared = group(sources.clone());
    let names = ["inet dwnl cdn-4", "inet dwnl cdn-6"];
    assert_eq!(sets(vec![entry(shared.clone()), entry(shared.clone())]), names);
    // Built in memory, two groups may have one name and other sources.
    let other = ["inet dwnl cdn.2-4", "inet dwnl cdn.2-6"];
    assert_eq!(sets(vec![entry(shared), entry(group(sources[2..].to_vec()))]), names);
    let large: Vec<Source> = sources.iter().chain(&sources).cloned().collect();
    let both = vec![entry(group(sources)), entry(group(large))];
    assert_eq!(sets(both), [names, other].concat());
}
