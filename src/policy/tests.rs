//! Values that are read back from their own text.

use std::fmt::{Debug, Display};
use std::path::Path;
use std::str::FromStr;

use proptest::prelude::*;

use super::strategies::{addresses, interface, policy, ports};
use super::{Allow, Group, Policy};
use crate::model::{AddressRange, AddressSpec, Protocol};

fn read_back<T: FromStr<Err: Debug> + Display>(value: &T) -> T {
    value.to_string().parse().expect("its own text")
}

proptest! {
    #[test]
    fn values_round_trip_through_their_text(
        ports in ports(), addresses in addresses(), interface in interface(),
    ) {
        prop_assert_eq!(read_back(&ports), ports);
        prop_assert_eq!(read_back(&addresses), addresses);
        prop_assert_eq!(read_back(&interface), interface);
        let range = AddressRange::new(addresses.first(), addresses.last()).expect("a range");
        prop_assert_eq!(read_back(&range), range);
    }

    #[test]
    fn policies_round_trip_through_their_text(policy in policy()) {
        let text = policy.to_toml();
        let read = Policy::parse(&text, "policy.toml", Path::new("/nonexistent"));
        let read = read.map_err(|errors| TestCaseError::fail(format!("{errors}\n{text}")))?;
        prop_assert_eq!(read.to_toml(), text);
        prop_assert_eq!(contents(&read), contents(&policy));
    }
}

/// What the policy says, without locations, and with the sources that an entry lists itself as one
/// group behind the others.
fn contents(policy: &Policy) -> impl PartialEq + Debug + '_ {
    let entries = policy.entries().map(|entry| {
        let from = (entry.from().map(group_contents), group_contents(entry.except()));
        let scope = (entry.in_interface(), entry.to(), entry.schedule());
        (entry.name(), entry.ports(), from, scope)
    });
    let guard = policy.guard();
    let settings = (guard.is_enabled(), guard.mark(), guard.host_network(), guard.direct_routing());
    let cgroups = (guard.docker_cgroup(), guard.host_cgroups());
    let peers = guard.swarm_peers().map(group_contents);
    (
        (policy.deny().len(), entries.collect::<Vec<_>>()),
        settings,
        cgroups,
        peers,
        policy.revoke(),
        policy.log(),
    )
}

/// The named groups with their sources, each once, and the sources of the others.
fn group_contents(groups: &[Group]) -> impl PartialEq + Debug + '_ {
    let addresses = |group: &Group| group.sources().iter().map(|it| it.addresses()).collect();
    let mut named: Vec<(&str, Vec<_>)> = Vec::new();
    let mut own: Vec<_> = Vec::new();
    for group in groups {
        match group.name() {
            Some(name) if named.iter().any(|(known, _)| *known == &**name) => {}
            Some(name) => named.push((name, addresses(group))),
            None => own.extend(addresses(group)),
        }
    }
    (named, own)
}

#[test]
fn a_policy_is_written_as_a_policy_file() {
    let addresses = |text: &str| text.parse::<AddressSpec>().expect("a source");
    let office = Group::named("the office", [addresses("192.0.2.7")]).expect("a group");
    let entry = Allow::builder(["443/tcp".parse().expect("a port")]).name("web \"1\"");
    let entry = entry.sources([addresses("2001:db8::/64")]).from([office]);
    let policy = Policy::builder().allow(entry.build().expect("an entry"));
    let expected = r#"[sources]
"the office" = ["192.0.2.7"]

[[allow]]
name = "web \"1\""
ports = ["443/tcp"]
from = [
    "the office",
    "2001:db8::/64",
]
"#;
    assert_eq!(policy.build().expect("a policy").to_toml(), expected);
    assert_eq!(Policy::default().to_toml(), "");
}

#[test]
fn protocols_round_trip_through_their_text() {
    for protocol in Protocol::ALL {
        assert_eq!(read_back(&protocol), protocol);
    }
    assert!("TCP".parse::<Protocol>().is_err());
}
