//! The names of a policy whose addresses have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use dwnl::Policy;
use serde::Serialize;

use super::format::join_limited;

/// The names by the addresses that they stand for.
pub type HostLabels = BTreeMap<IpAddr, String>;

/// A name in the policy in force.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct NameReport {
    /// The name.
    pub name: String,
    /// The addresses that it stands for.
    pub addresses: Vec<IpAddr>,
    /// When they were found last; `None` if none were.
    pub confirmed_at: Option<String>,
}

impl NameReport {
    /// `home.example.net: 192.0.2.7, found at 2026-11-27T22:47:00Z`
    pub fn words(&self) -> String {
        let NameReport { name, addresses, confirmed_at } = self;
        let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
        match confirmed_at {
            Some(at) if !addresses.is_empty() => {
                format!("{name}: {}, found at {at}", join_limited(&addresses))
            }
            Some(at) => format!("{name}: nobody, because it was resolved last at {at}"),
            None => format!("{name}: nobody, because it was never resolved"),
        }
    }
}

/// The names of the policy by the addresses that they stand for.
pub fn host_labels(policy: &Policy) -> HostLabels {
    let found = policy.found_addresses().into_iter();
    let labels = found.flat_map(|(host, addresses)| {
        addresses.into_iter().map(move |address| (address, host.to_string()))
    });
    labels.collect()
}

/// A name that has other addresses than before.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct NameChange {
    name: String,
    gained: Vec<IpAddr>,
    lost: Vec<IpAddr>,
}

impl NameChange {
    /// The names whose addresses differ between two policies.
    pub fn between(before: &Policy, after: &Policy) -> Vec<NameChange> {
        let (before, after) = (before.found_addresses(), after.found_addresses());
        let none = BTreeSet::new();
        let hosts: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let change = |host| {
            let old = before.get(host).unwrap_or(&none);
            let new = after.get(host).unwrap_or(&none);
            let (gained, lost) = (new.difference(old).copied(), old.difference(new).copied());
            NameChange { name: host.to_string(), gained: gained.collect(), lost: lost.collect() }
        };
        let is_change = |it: &NameChange| !it.gained.is_empty() || !it.lost.is_empty();
        hosts.into_iter().map(change).filter(is_change).collect()
    }
}

/// `home.example.net: 192.0.2.7 gained access, 192.0.2.3 lost access`
pub fn sentence(changes: &[NameChange]) -> String {
    let part = |addresses: &[IpAddr], what: &str| {
        let texts: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
        (!texts.is_empty()).then(|| format!("{} {what} access", join_limited(&texts)))
    };
    let one = |change: &NameChange| {
        let parts = [part(&change.gained, "gained"), part(&change.lost, "lost")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!("{}: {}", change.name, parts.join(", "))
    };
    changes.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn changes_are_found_and_put_into_words() {
        let text = "[[allow]]\nports = ['80']\nfrom = [{ dns = ['a.example', 'b.example'] }]\n";
        let policy = Policy::parse(text, "p", Path::new("")).expect("a policy");
        let resolved = |a: &[&str], b: &[&str]| {
            let of = |texts: &[&str]| {
                texts.iter().map(|text| text.parse().expect("an address")).collect()
            };
            let addresses = |host: &dwnl::policy::HostName| match host.as_str() {
                "a.example" => of(a),
                _ => of(b),
            };
            policy.with_addresses(addresses).expect("few rules")
        };
        let before = resolved(&["192.0.2.1"], &["192.0.2.2", "2001:db8::2"]);
        let after = resolved(&["192.0.2.1", "192.0.2.3"], &["192.0.2.4"]);
        assert_eq!(
            sentence(&NameChange::between(&before, &after)),
            "a.example: 192.0.2.3 gained access; b.example: 192.0.2.4 gained access, 192.0.2.2, \
             2001:db8::2 lost access"
        );
        assert_eq!(NameChange::between(&after, &after), []);
        assert_eq!(after.to_toml(), policy.to_toml());
    }
}
