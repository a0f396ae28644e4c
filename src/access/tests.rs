//! The access of rulesets and snapshots, and the difference between two.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::compile::{compile, resolve};
use crate::model::{
    AddressSpec, Family, InstalledChain, InstalledRule, InstalledSet, InstalledTable, Interval,
    IpVersion, Ports, Protocol, RuleContent, to_u128,
};
use crate::policy::{Entry, Group, Policy, Source, strategies};

/// A kernel that holds the ruleset.
fn installed(ruleset: &Ruleset) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for chain in &ruleset.chains {
        let rules = chain.rules.iter().map(|desired| InstalledRule {
            handle: 1,
            content: RuleContent::Known(desired.rule.clone()),
            packets: 0,
            bytes: 0,
        });
        let base = chain.base.map(|base| (base.chain_type.into(), base.hook, base.priority));
        let chain_in_kernel =
            InstalledChain { base, rules: rules.collect(), ..InstalledChain::default() };
        let table = snapshot.tables.entry(chain.path.table.clone()).or_default();
        table.chains.insert(chain.path.chain.clone(), chain_in_kernel);
    }
    for set in &ruleset.sets {
        let table = snapshot.tables.entry(set.path.table.clone()).or_default();
        let elements = Arc::clone(&set.elements);
        let set_in_kernel = InstalledSet { kind: Some(set.kind), elements };
        table.sets.insert(Arc::clone(&set.path.set), set_in_kernel);
    }
    for map in &ruleset.maps {
        let table = snapshot.tables.entry(map.path.table.clone()).or_default();
        table.maps.insert(Arc::clone(&map.path.set), Arc::clone(&map.elements));
    }
    snapshot
}

/// The ruleset of a policy on a host without Docker.
fn ruleset(policy: &Policy) -> Ruleset {
    resolve(&compile(policy), &Snapshot::default()).expect("a ruleset")
}

fn access(policy: &Policy) -> Access {
    Access::of_ruleset(&ruleset(policy))
}

fn parse(text: &str) -> Policy {
    Policy::parse(text, "p.toml", std::path::Path::new("")).expect("a policy")
}

/// The first packet of a flow.
#[derive(Clone, Debug)]
struct Packet {
    source: IpAddr,
    to: IpAddr,
    interface: String,
    protocol: Protocol,
    port: u16,
}

impl Packet {
    /// `is_interface`: whether the packet comes in as it has to.
    fn meets(&self, ports: Ports, is_interface: bool, to: &[AddressSpec]) -> bool {
        ports.has(self.protocol, self.port)
            && is_interface
            && (to.is_empty() || to.iter().any(|to| (to.first()..=to.last()).contains(&self.to)))
    }

    fn is_from(&self, addresses: &Addresses) -> bool {
        let source = to_u128(self.source);
        let mut intervals = addresses.of(IpVersion::of(self.source));
        intervals.any(|Interval { first, last }| (first..=last).contains(&source))
    }
}

fn comes_by(interfaces: Option<&Interfaces>, packet: &Packet) -> bool {
    interfaces.is_none_or(|it| it.matches(&packet.interface))
}

/// What the policy says, without rules.
fn allows(policy: &Policy, packet: &Packet) -> bool {
    let matches = |entry: &Entry| {
        let is_source = |source: &Source| {
            let addresses = source.addresses();
            (addresses.first()..=addresses.last()).contains(&packet.source)
        };
        let has = |groups: &[Group]| groups.iter().flat_map(Group::sources).any(is_source);
        let is_interface = entry.in_interface().is_none_or(|it| it.matches(&packet.interface));
        let mut ports = entry.ports().iter();
        ports.any(|ports| packet.meets(*ports, is_interface, entry.to()))
            && entry.from().is_none_or(has)
            && !has(entry.except())
    };
    policy.allow().iter().any(|entry| matches(entry))
        && !policy.deny().iter().any(|entry| matches(entry))
}

/// What the permits say.
fn permits(access: &Access, packet: &Packet) -> bool {
    access.permits().any(|(permit, sources)| {
        let to: Vec<AddressSpec> = permit.to.into_iter().collect();
        packet.meets(permit.ports, comes_by(permit.in_interface.as_ref(), packet), &to)
            && packet.is_from(&sources)
    })
}

/// Whether the diff says of the packet that it gains access (or loses it).
fn is_changed(diff: &AccessDiff, other: &Access, packet: &Packet, is_gain: bool) -> bool {
    let sources: HashMap<&Permit, Addresses> = other.permits().collect();
    diff.changes.iter().filter(|change| change.is_gain == is_gain).any(|change| {
        let mut ports = change.ports.iter();
        let is_excepted = change.except.iter().any(|permit| {
            let to: Vec<AddressSpec> = permit.to.into_iter().collect();
            packet.meets(permit.ports, comes_by(permit.in_interface.as_ref(), packet), &to)
                && packet.is_from(&sources[permit])
        });
        let is_interface = comes_by(change.in_interface.as_ref(), packet);
        ports.any(|ports| packet.meets(*ports, is_interface, &change.to))
            && packet.is_from(&change.sources)
            && !is_excepted
    })
}

/// Policies whose entries have much in common, with the guard or without it.
fn policy() -> impl Strategy<Value = Policy> {
    let sources = prop::collection::vec((0u8..100, 0u8..20, any::<bool>()), 1..8);
    let entry = (
        0usize..4,
        prop::collection::vec((0u16..12, 0u16..6, 0usize..2), 1..3),
        prop::option::of(sources),
        prop::sample::select(vec!["", "eth0", "eth+", "!eth0", "!eth+", "!docker0"]),
        prop::sample::select(vec!["", "10.8.0.1", "10.8.0.0/30", "fd08::1", "10.8.0.2-10.8.0.9"]),
        prop::sample::select(vec![false, false, true]),
        prop::sample::select(vec!["allow", "allow", "deny"]),
        prop::option::weighted(0.3, (0u8..100, 0u8..20)),
    );
    let entries = prop::collection::vec(entry, 0..5);
    (entries, any::<bool>()).prop_filter_map("a valid policy", |(entries, has_guard)| {
        let mut text = format!("[guard]\nenabled = {has_guard}\n");
        for (number, entry) in entries.iter().enumerate() {
            let (name, ports, sources, interface, to, is_large, key, except) = entry;
            text += &format!("[[{key}]]\n");
            if *name > 0 {
                text += &format!("name = \"entry {name}.{number}\"\n");
            }
            let ports: Vec<String> = ports
                .iter()
                .map(|(first, length, protocol)| {
                    let first = 5000 + first;
                    format!("{first}-{}/{}", first + length, ["tcp", "udp"][*protocol])
                })
                .collect();
            text += &format!("ports = {ports:?}\n");
            if let Some(sources) = sources {
                let ranges = sources.iter().map(|(first, length, is_ip6)| match is_ip6 {
                    true => format!("fd09::{first:x}-fd09::{:x}", first + length),
                    false => format!("10.9.0.{first}-10.9.0.{}", first + length),
                });
                let padding =
                    (0..if *is_large { 70 } else { 0 }).map(|n| format!("10.9.1.{}", 2 * n));
                let sources: Vec<String> = ranges.chain(padding).collect();
                text += &format!("from = {sources:?}\n");
            }
            if let Some((first, length)) = except {
                text += &format!("except = ['10.9.0.{first}-10.9.0.{}']\n", first + length);
            }
            if !interface.is_empty() {
                text += &format!("in-interface = \"{interface}\"\n");
            }
            if !to.is_empty() {
                text += &format!("to = [\"{to}\"]\n");
            }
        }
        Policy::parse(&text, "p.toml", std::path::Path::new("")).ok()
    })
}

fn packet() -> impl Strategy<Value = Packet> {
    let interface = prop::sample::select(vec!["eth0", "eth1", "docker0", "wlan0"]);
    let protocol = prop::sample::select(vec![Protocol::Tcp, Protocol::Udp]);
    (any::<bool>(), any::<bool>(), 0u8..140, 0u8..12, interface, protocol, 4999u16..5020).prop_map(
        |(is_ip6, is_second, source, to, interface, protocol, port)| {
            let address = |text: String| text.parse().expect("an address");
            let (source, to) = match is_ip6 {
                true => (format!("fd09::{source:x}"), format!("fd08::{to:x}")),
                false => (format!("10.9.{}.{source}", u8::from(is_second)), format!("10.8.0.{to}")),
            };
            let interface = interface.to_owned();
            Packet { source: address(source), to: address(to), interface, protocol, port }
        },
    )
}

proptest! {
    #[test]
    fn installed_rules_give_the_access_of_their_policy(policy in strategies::policy()) {
        let ruleset = ruleset(&policy);
        let access = Access::of_ruleset(&ruleset);
        prop_assert_eq!(&access, &Access::of_snapshot(&installed(&ruleset)));
        prop_assert!(access.diff(&access).is_empty());
        prop_assert!(access.diff(&Access::of_snapshot(&installed(&ruleset))).is_empty());
    }

    #[test]
    fn permits_allow_what_the_policy_allows(
        policy in policy(),
        packets in prop::collection::vec(packet(), 40),
    ) {
        let access = access(&policy);
        for packet in packets {
            prop_assert_eq!(permits(&access, &packet), allows(&policy, &packet), "{:?}", packet);
        }
    }

    #[test]
    fn gains_and_losses_lead_from_one_access_to_the_other(
        before in policy(),
        after in policy(),
        packets in prop::collection::vec(packet(), 40),
    ) {
        let [old, new] = [&before, &after].map(access);
        let diff = old.diff(&new);
        for packet in packets {
            let had = allows(&before, &packet);
            let gained = is_changed(&diff, &old, &packet, true);
            let lost = is_changed(&diff, &new, &packet, false);
            prop_assert!(!(gained && had), "{:?}\n{:#?}", packet, diff);
            prop_assert!(!lost || had, "{:?}\n{:#?}", packet, diff);
            let has = (had && !lost) || gained;
            prop_assert_eq!(has, allows(&after, &packet), "{:?}\n{:#?}", packet, diff);
        }
    }
}

/// The changes as text: `+ web 443/tcp 192.0.2.1`.
fn changes(before: &str, after: &str) -> Vec<String> {
    let diff = access(&parse(before)).diff(&access(&parse(after)));
    let text = |change: &AccessChange| {
        let list = |texts: Vec<String>| texts.join(",");
        format!(
            "{} {} {} {}{}",
            if change.is_gain { '+' } else { '-' },
            change.entry.as_deref().unwrap_or("?"),
            list(change.ports.iter().map(ToString::to_string).collect()),
            list(change.sources.texts().map(|text| text.to_string()).collect()),
            if change.except.is_empty() { "" } else { " (partly)" },
        )
    };
    diff.changes.iter().map(text).collect()
}

fn entry(name: &str, ports: &str, from: &str) -> String {
    format!("[[allow]]\nname = \"{name}\"\nports = [{ports}]\nfrom = [{from}]\n")
}

#[test]
fn a_source_that_another_entry_allows_neither_gains_nor_loses() {
    let one = entry("web", "\"443\"", "\"192.0.2.1\", \"192.0.2.9\"");
    let renamed = entry("www", "\"443\"", "\"192.0.2.1\", \"192.0.2.9\"");
    assert_eq!(changes(&one, &renamed), [""; 0]);
    let divided = entry("a", "\"443\"", "\"192.0.2.1\"") + &entry("b", "\"443\"", "\"192.0.2.9\"");
    assert_eq!(changes(&one, &divided), [""; 0]);
    assert_eq!(changes(&one, &entry("a", "\"443\"", "\"192.0.2.1\"")), ["- web 443/tcp 192.0.2.9"]);
}

#[test]
fn a_range_of_ports_loses_those_that_are_left_out() {
    let range = |ports: &str| entry("web", ports, "\"192.0.2.0/24\"");
    assert_eq!(
        changes(&range("\"8000-8100\""), &range("\"8000-8009\", \"8020\"")),
        ["- web 8010-8019/tcp,8021-8100/tcp 192.0.2.0/24"]
    );
    assert_eq!(changes(&range("\"8000-8009\""), &range("\"8000-8004\", \"8005-8009\"")), [""; 0]);
}

#[test]
fn ports_with_the_same_sources_are_one_change() {
    let many: Vec<String> = (0..200).map(|n| format!("\"10.0.{n}.1\"")).collect();
    let ports = "\"443/tcp\", \"443/udp\", \"8000/tcp\"";
    let (all, rest) = (many.join(","), many[1..].join(","));
    assert_eq!(
        changes(&entry("cdn", ports, &all), &entry("cdn", ports, &rest)),
        ["- cdn 443/tcp,443/udp,8000/tcp 10.0.0.1"]
    );
}

#[test]
fn a_restriction_says_what_is_left() {
    let open = entry("web", "\"443\"", "\"192.0.2.1\"");
    let restricted = format!("{open}to = [\"203.0.113.5\"]\n");
    assert_eq!(changes(&open, &restricted), ["- web 443/tcp 192.0.2.1 (partly)"]);
    assert_eq!(changes(&restricted, &open), ["+ web 443/tcp 192.0.2.1 (partly)"]);
}

#[test]
fn adjacent_addresses_are_written_as_one() {
    let sources = "\"192.0.2.0/25\", \"192.0.2.128/25\", \"10.0.0.1\", \"10.0.0.2\", \"::/0\"";
    let found = changes("", &entry("web", "\"443\"", sources));
    assert_eq!(found, ["+ web 443/tcp 10.0.0.1-10.0.0.2,192.0.2.0/24,::/0"]);
}

#[test]
fn a_kernel_without_dwnl_blocks_nothing() {
    let nothing = Access::of_snapshot(&Snapshot::default());
    let diff = nothing.diff(&access(&Policy::default()));
    assert!(!diff.before.is_enforced && diff.after.is_enforced);
    assert!(!diff.is_empty() && diff.changes.is_empty());
}

/// The protection after a chain of the installed rules has changed.
fn damaged(
    settings: &str,
    family: Family,
    chain: &str,
    damage: fn(&mut Vec<InstalledRule>),
) -> Protection {
    let mut snapshot = installed(&ruleset(&parse(settings)));
    let table = snapshot.tables.iter_mut().find(|(path, _)| path.family == family);
    let table: &mut InstalledTable = table.expect("the table").1;
    damage(&mut table.chains.get_mut(chain).expect("the chain").rules);
    Access::of_snapshot(&snapshot).protection()
}

#[test]
fn rules_that_block_have_to_be_in_place() {
    use Family::{Inet, Ip, Ip6};
    const OFF: &str = "[guard]\nenabled = false\n";
    for (settings, family, chain, is_enforced) in [
        ("", Ip, "PREROUTING", true),
        (OFF, Ip, "PREROUTING", false),
        (OFF, Ip6, "PREROUTING", false),
        ("", Inet, "translated", false),
        ("", Inet, "forward", false),
        ("", Inet, "marked", true),
    ] {
        let found = damaged(settings, family, chain, |rules| drop(rules.pop()));
        assert_eq!(found.is_enforced, is_enforced, "{settings:?}, {family} {chain}");
    }
    let foreign = damaged("", Inet, "allowed", |rules| {
        let content = RuleContent::Foreign {
            expressions: "[immediate accept]".to_owned(),
            target: None,
            translation: None,
        };
        rules.push(InstalledRule { handle: 9, content, packets: 0, bytes: 0 });
    });
    assert_eq!((foreign.is_enforced, foreign.foreign_rules), (true, 1));
}

#[test]
fn nothing_is_blocked_if_the_guard_alone_is_missing() {
    let mut snapshot = installed(&ruleset(&parse("")));
    assert!(Access::of_snapshot(&snapshot).protection().is_enforced);
    snapshot.tables.retain(|path, _| path.family != Family::Inet);
    let found = Access::of_snapshot(&snapshot).protection();
    assert!(!found.has_guard && !found.is_enforced, "DOCKER-BLOCK has all sources translated");
}
