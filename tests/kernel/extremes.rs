//! The largest and smallest values that a policy can have: the kernel accepts them, and returns them
//! as they were sent, so that a second apply changes nothing.

use std::path::Path;

use dwnl::model::{AddressSpec, Interface, Ports, Protocol};
use dwnl::policy::{Allow, AllowBuilder, Group, Guard, Mark, NAME_MAX};
use dwnl::{Engine, Policy, compile};

use super::support::Namespace;

/// All addresses of each IP version, as networks and as ranges.
const ALL: [&str; 4] =
    ["0.0.0.0/0", "::/0", "0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"];

/// Applies the policy twice, with the guard and without.
#[track_caller]
fn converges(entries: impl IntoIterator<Item = AllowBuilder>) {
    let entries: Vec<Allow> =
        entries.into_iter().map(|entry| entry.build().expect("an entry")).collect();
    for is_enabled in [true, false] {
        let mark = Mark::new(1 << 31).expect("one bit");
        let guard = Guard::builder().enabled(is_enabled).mark(mark).build().expect("a guard");
        let policy = Policy::builder().allow_all(entries.clone()).guard(guard);
        let desired = compile(&policy.build().expect("a policy"));
        let host = Namespace::new();
        let mut engine = Engine::open_in(Path::new(&host.path())).expect("an engine");
        let first = engine.apply(&desired).expect("the first apply").plan;
        assert!(!first.is_empty());
        let second = engine.apply(&desired).expect("the second apply").plan;
        assert!(second.is_empty(), "with the guard {is_enabled}: {second:?}");
        // Another engine remembers nothing.
        let mut other = Engine::open_in(Path::new(&host.path())).expect("an engine");
        let third = other.plan(&desired).expect("a plan");
        assert!(third.is_empty(), "with the guard {is_enabled}: {third:?}");
    }
}

fn tcp(first: u16, last: u16) -> Ports {
    Ports::new(Protocol::Tcp, first, last).expect("ports")
}

fn addresses(text: &str) -> AddressSpec {
    text.parse().expect("addresses")
}

/// Many addresses, so that the group becomes a set.
fn many() -> impl Iterator<Item = AddressSpec> {
    let hosts = (0..70).flat_map(|n| [format!("10.0.{n}.1"), format!("2001:db8:{n}::1")]);
    hosts.map(|text| addresses(&text))
}

#[test]
fn names_of_the_maximum_length_converge() {
    let names = ["x".repeat(NAME_MAX), "\"\\' ".repeat(63), "ü".repeat(127), "日".repeat(85)];
    converges(names.into_iter().map(|name| Allow::builder([tcp(443, 443)]).name(name)));
}

#[test]
fn groups_with_names_of_the_maximum_length_converge() {
    let names = ["x".repeat(NAME_MAX), "日".repeat(85), format!("{}\"\\' ", "y".repeat(200))];
    let group = |name: String| Group::named(&name, many()).expect("a group");
    converges(names.into_iter().map(|name| Allow::builder([tcp(443, 443)]).from([group(name)])));
}

#[test]
fn interfaces_of_the_maximum_length_converge() {
    let interfaces = ["abcdefghijklmno", "!abcdefghijklmno", "abcdefghijklmn+", "a", "!a+", "ü+"];
    converges(interfaces.map(|text| {
        let interface: Interface = text.parse().expect("an interface");
        Allow::builder([tcp(443, 443)]).in_interface(interface).sources(many())
    }));
}

#[test]
fn all_ports_converge() {
    let all = Protocol::ALL.map(|protocol| Ports::new(protocol, 1, u16::MAX).expect("ports"));
    let single = (1..=64).chain(u16::MAX - 64..=u16::MAX).map(|port| tcp(port, port));
    converges([Allow::builder(all), Allow::builder(single), Allow::builder([tcp(2, u16::MAX)])]);
}

#[test]
fn all_addresses_converge() {
    converges(ALL.map(|text| Allow::builder([tcp(443, 443)]).sources([addresses(text)])));
    converges(ALL.map(|text| Allow::builder([tcp(443, 443)]).to([addresses(text)])));
    // In sets.
    let all = ALL.map(|text| many().chain([addresses(text)]));
    converges(all.map(|sources| Allow::builder([tcp(443, 443)]).sources(sources)));
    let edges = ["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"];
    let edges = many().chain(edges.map(addresses));
    converges([Allow::builder([tcp(443, 443)]).sources(edges)]);
}

#[test]
fn a_large_group_without_a_destination_of_its_ip_version_converges() {
    let v4 = many().filter(|addresses| addresses.first().is_ipv4());
    let sources = v4.chain([addresses("2001:db8::1")]);
    let entry = Allow::builder([tcp(443, 443)]).sources(sources);
    converges([entry.to([addresses("2001:db8::5")])]);
}
