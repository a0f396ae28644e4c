//! Policies of every form that the builders accept, for property tests.

use std::fmt::Debug;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use ipnetwork::IpNetwork;
use proptest::prelude::*;

use super::schedule::tests::any_schedule;
use super::{
    Allow, Deny, DirectRouting, DnsName, EntryBuilder, Established, Group, Guard, Limit,
    LimitScope, Limits, Log, Mark, Moment, Policy, Revoke, Schedule,
};
use crate::model::{AddressSpec, Interface, LogTarget, Ports, Protocol, Rate, RateUnit};

/// A valid policy: with the guard and without, with named and unnamed groups, small and large.
pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    let log = prop::option::of(prop_oneof![
        Just(LogTarget::Kernel),
        any::<u16>().prop_map(LogTarget::Nflog),
    ]);
    let entries = (prop::collection::vec(deny(), 0..3), prop::collection::vec(allow(), 0..4));
    (entries, guard(), any::<bool>(), log).prop_filter_map(
        "a valid policy",
        |((deny, allow), guard, is_cut, log)| {
            let has_guard = guard.is_enabled();
            let limited = |entry: Allow| match has_guard {
                true => entry,
                false => entry.with_limits(Limits::default()),
            };
            let allow = allow.into_iter().map(limited);
            let log = Log::default().with_refused(log.filter(|_| has_guard));
            let established = if is_cut { Established::Cut } else { Established::Keep };
            let revoke = Revoke::default().with_established(established);
            let policy = Policy::builder().deny_all(deny).allow_all(allow).guard(guard);
            policy.revoke(revoke).log(log).build().ok()
        },
    )
}

/// A policy with the guard whose entries list many ports, which overlap: in most cases so many that maps lead
/// to their rules.
pub(crate) fn many_ports() -> impl Strategy<Value = Policy> {
    let ports = prop::collection::vec((1u16..300, 0u16..20), 1..24);
    let entry = (0u8..6, ports, 1u8..6, prop::bool::weighted(0.3));
    let entries = prop::collection::vec(entry, 0..7);
    let scattered = prop::sample::select(vec![0u16, 40, 70]);
    (entries, scattered).prop_map(|(entries, scattered)| {
        let mut text = String::new();
        for (index, (name, ports, sources, denies)) in entries.into_iter().enumerate() {
            let ports = ports.iter().map(|(first, length)| format!("{first}-{}", first + length));
            let ports: std::collections::BTreeSet<String> = ports.collect();
            let sources: Vec<String> = (0..sources).map(|n| format!("192.0.2.{n}")).collect();
            text += if denies { "[[deny]]\n" } else { "[[allow]]\n" };
            if name > 2 {
                text += &format!("name = 'e{name}-{index}'\n");
            }
            text += &format!("ports = {:?}\nfrom = {sources:?}\n", Vec::from_iter(ports));
        }
        for port in 0..scattered {
            let port = 7 * port + 1;
            text += &format!("[[allow]]\nports = ['{port}/udp', '{port}']\nfrom = ['192.0.2.9']\n");
        }
        Policy::parse(&text, "p", std::path::Path::new("")).expect("a policy")
    })
}

/// Ports of any protocol, from a single one to all.
pub(crate) fn ports() -> impl Strategy<Value = Ports> {
    let protocol = prop::sample::select(Protocol::ALL.to_vec());
    let end = prop_oneof![Just(1), Just(u16::MAX), 1..=u16::MAX];
    (protocol, end.clone(), end).prop_filter_map("valid ports", |(protocol, first, last)| {
        Ports::new(protocol, first.min(last), first.max(last)).ok()
    })
}

/// Hosts, networks and ranges of both IP versions, up to all addresses.
pub(crate) fn addresses() -> impl Strategy<Value = AddressSpec> {
    let v4 = any::<[u8; 4]>().prop_map(IpAddr::from);
    let v6 = any::<[u8; 16]>().prop_map(IpAddr::from);
    let all = prop::sample::select(vec![
        "0.0.0.0/0",
        "::/0",
        "0.0.0.0-255.255.255.255",
        "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "0.0.0.0",
        "255.255.255.255",
    ]);
    let address = prop_oneof![v4.clone(), v6.clone()];
    let network = (address, any::<prop::sample::Index>()).prop_filter_map(
        "no host bits",
        |(address, length)| {
            let length = length.index(if address.is_ipv4() { 33 } else { 129 });
            let network = IpNetwork::new(address, u8::try_from(length).ok()?).ok()?;
            let network = IpNetwork::new(network.network(), network.prefix()).ok()?;
            AddressSpec::network(network).ok()
        },
    );
    let ends = prop_oneof![(v4.clone(), v4), (v6.clone(), v6)];
    let range = ends.prop_filter_map("a valid range", |(first, last)| {
        AddressSpec::range(first.min(last), first.max(last)).ok()
    });
    prop_oneof![
        4 => network,
        4 => range,
        1 => all.prop_map(|text| text.parse().expect("a source")),
    ]
}

/// Interfaces with names up to the maximum length.
pub(crate) fn interface() -> impl Strategy<Value = Interface> {
    ("[!-~]{0,15}|ü{1,7}", any::<bool>(), any::<bool>())
        .prop_filter_map("a valid interface", |(name, is_wildcard, is_negated)| {
            Interface::new(&name, is_wildcard, is_negated).ok()
        })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,12}", "\\PC{1,40}", "[a-z\"\\\\' ]{250,255}", any::<String>()]
}

fn group() -> impl Strategy<Value = Group> {
    let few = prop::collection::vec(addresses(), 1..4);
    let many = prop::collection::vec(addresses(), 60..140);
    let none = Just(Vec::new());
    let sources = prop_oneof![6 => few, 2 => many, 1 => none];
    let names = prop_oneof![5 => Just(Vec::new()), 1 => prop::collection::vec(dns_name(), 1..3)];
    (prop::option::of(name()), sources, names).prop_filter_map(
        "a valid group",
        |(name, sources, names)| {
            let group = match name {
                Some(name) => Group::named(&name, sources).ok(),
                None => Group::unnamed(sources).ok(),
            };
            Some(group?.with_names(names))
        },
    )
}

fn dns_name() -> impl Strategy<Value = DnsName> {
    let host = "[a-z][a-z0-9]{0,5}(\\.[a-z]{1,9}){0,2}";
    let number = || prop_oneof![Just(None), (1..400_000u64).prop_map(Some)];
    (host, number(), number(), 1..100usize).prop_map(|(host, stale, min_ttl, max)| {
        let seconds = |number: Option<u64>| number.map(Duration::from_secs);
        DnsName::new(host.parse().expect("a name"))
            .with_stale(seconds(stale).unwrap_or(DnsName::STALE))
            .with_min_ttl(seconds(min_ttl.map(|it| it.min(86_400))).unwrap_or(DnsName::MIN_TTL))
            .with_max_addresses(max)
    })
}

fn allow() -> impl Strategy<Value = Allow> {
    let entry = prop::collection::vec(ports(), 1..4).prop_flat_map(|ports| {
        let builder = conditions(Allow::builder(ports));
        builder.prop_filter_map("a valid entry", |entry| entry.build().ok())
    });
    let limits = prop_oneof![3 => Just(Limits::default()), 1 => limits()];
    (entry, limits).prop_map(|(entry, limits)| entry.with_limits(limits))
}

/// Limits of any form, or none.
pub(crate) fn limits() -> impl Strategy<Value = Limits> {
    let unit = prop::sample::select(RateUnit::ALL.to_vec());
    let rate = (1u64..=1_000_000, unit, prop::option::of(1u64..=1_000_000))
        .prop_filter_map("a rate", |(count, unit, burst)| Rate::new(count, unit, burst).ok());
    let scopes = vec![LimitScope::Entry, LimitScope::Source, LimitScope::Port];
    let limit = (rate, prop::sample::select(scopes)).prop_map(|(rate, per)| Limit { rate, per });
    let connections = (1..=Limits::CONNECTIONS_MAX).prop_filter_map("a number", NonZeroU32::new);
    (prop::option::of(limit), prop::option::of(connections))
        .prop_map(|(limit, connections)| Limits { limit, connections })
}

fn deny() -> impl Strategy<Value = Deny> {
    prop::option::of(prop::collection::vec(ports(), 1..4)).prop_flat_map(|ports| {
        let builder = match ports {
            Some(ports) => Deny::builder().ports(ports),
            None => Deny::builder(),
        };
        conditions(builder).prop_filter_map("a valid entry", |entry| entry.build().ok())
    })
}

/// The entry with any of the keys that all entries have.
fn conditions<E: Clone + Debug>(
    builder: EntryBuilder<E>,
) -> impl Strategy<Value = EntryBuilder<E>> {
    let from = prop::option::of(prop::collection::vec(group(), 1..3));
    let except = prop::option::weighted(0.3, prop::collection::vec(group(), 1..3));
    let to = prop::option::of(prop::collection::vec(addresses(), 1..3));
    let schedule = prop::option::weighted(0.2, schedule());
    let keys = (prop::option::of(name()), from, except, prop::option::of(interface()), to);
    (keys, schedule).prop_map(move |((name, from, except, in_interface, to), schedule)| {
        let mut entry = builder.clone();
        if let Some(name) = name {
            entry = entry.name(name);
        }
        if let Some(groups) = from {
            entry = entry.from(groups);
        }
        if let Some(groups) = except {
            entry = entry.except(groups);
        }
        if let Some(interface) = in_interface {
            entry = entry.in_interface(interface);
        }
        if let Some(addresses) = to {
            entry = entry.to(addresses);
        }
        if let Some(schedule) = schedule {
            entry = entry.schedule(schedule);
        }
        entry
    })
}

/// A schedule of one zone: those of a policy share it.
fn schedule() -> impl Strategy<Value = Schedule> {
    let until = prop::option::of(0..Moment::MAX.0);
    (any_schedule(), until).prop_map(|(schedule, until)| {
        let zone = "Europe/Berlin".parse().expect("a zone");
        let mut own = Schedule::new(zone).with_hours(schedule.hours().iter().copied());
        if let Some(days) = schedule.days() {
            own = own.with_days(days);
        }
        match until {
            Some(until) => own.with_until(Moment(until)),
            None if own == Schedule::new(own.zone().clone()) => own.with_until(Moment::MAX),
            None => own,
        }
    })
}

fn guard() -> impl Strategy<Value = Guard> {
    let mark = (0..u32::BITS).prop_map(|bit| Mark::new(1 << bit).expect("one bit"));
    let peers = prop::option::of(group());
    (any::<bool>(), mark, any::<bool>(), any::<bool>(), peers).prop_map(
        |(is_enabled, mark, host_network, is_allowed, peers)| {
            let mut guard = Guard::builder().enabled(is_enabled).mark(mark);
            if is_enabled {
                guard = guard.host_network(host_network);
            }
            if is_enabled && is_allowed {
                guard = guard.direct_routing(DirectRouting::Allowed);
            }
            if let Some(group) = peers.filter(|_| is_enabled) {
                guard = guard.swarm_peers([group]);
            }
            guard.build().expect("a guard")
        },
    )
}
