//! Rules, sets and their parts for property tests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use ipnetwork::IpNetwork;
use proptest::prelude::*;

use crate::model::*;

pub fn network(version: IpVersion) -> BoxedStrategy<IpNetwork> {
    let new = |address: IpAddr, prefix: u8| {
        let network = IpNetwork::new(address, prefix).expect("a network");
        IpNetwork::new(network.network(), prefix).expect("a network")
    };
    let prefix = 1..=version.address_bits();
    match version {
        IpVersion::V4 => {
            (any::<Ipv4Addr>(), prefix).prop_map(move |(a, n)| new(a.into(), n)).boxed()
        }
        IpVersion::V6 => {
            (any::<Ipv6Addr>(), prefix).prop_map(move |(a, n)| new(a.into(), n)).boxed()
        }
    }
}

pub fn range(version: IpVersion) -> BoxedStrategy<AddressRange> {
    let new = |a: IpAddr, b: IpAddr| AddressRange::new(a.min(b), a.max(b)).expect("a range");
    match version {
        IpVersion::V4 => {
            any::<[Ipv4Addr; 2]>().prop_map(move |[a, b]| new(a.into(), b.into())).boxed()
        }
        IpVersion::V6 => {
            any::<[Ipv6Addr; 2]>().prop_map(move |[a, b]| new(a.into(), b.into())).boxed()
        }
    }
}

pub fn ip_version() -> impl Strategy<Value = IpVersion> {
    prop::sample::select(IpVersion::ALL.to_vec())
}

pub fn protocol() -> impl Strategy<Value = Protocol> {
    prop::sample::select(Protocol::ALL.to_vec())
}

pub fn cgroup() -> impl Strategy<Value = CgroupMatch> {
    (any::<u8>(), any::<u64>(), any::<bool>()).prop_map(|(level, id, negated)| CgroupMatch {
        level,
        id,
        negated,
    })
}

pub fn ports() -> impl Strategy<Value = Ports> {
    (protocol(), 1u16.., 1u16..).prop_filter_map("a range", |(protocol, a, b)| {
        Ports::new(protocol, a.min(b), a.max(b)).ok()
    })
}

pub fn interface() -> impl Strategy<Value = Interface> {
    ("[a-z][a-z0-9.-]{0,13}", any::<bool>(), any::<bool>())
        .prop_map(|(name, wildcard, negated)| Interface::unchecked(name.into(), wildcard, negated))
}

pub fn extension(version: IpVersion) -> impl Strategy<Value = Match> {
    prop_oneof![
        Just(Match::CtStateNew),
        Just(Match::DstTypeLocal),
        "[a-zA-Z0-9 äß\"'\\\\-]{1,80}".prop_map(|text| Match::Comment(text.into())),
        (prop::option::of(range(version)), prop::option::of(range(version)))
            .prop_map(|(source, destination)| Match::Range { source, destination }),
    ]
}

pub fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Accept),
        Just(Verdict::Return),
        "[A-Z-]{1,28}".prop_map(|chain| Verdict::Jump(chain.into())),
        "[A-Z-]{1,28}".prop_map(|chain| Verdict::Goto(chain.into())),
        (0u32..32, any::<bool>()).prop_map(|(bit, set)| Verdict::Connmark { bits: 1 << bit, set }),
    ]
}

pub fn addresses(version: IpVersion) -> impl Strategy<Value = AddressSpec> {
    let range = range(version)
        .prop_filter_map("a range", |it| AddressSpec::range(it.first(), it.last()).ok());
    prop_oneof![network(version).prop_filter_map("no host bits", AddressSpec::exact), range]
}

/// The conditions in any order; a shard comes before the set that holds it.
pub fn conditions() -> impl Strategy<Value = Vec<NftMatch>> {
    let direction = || prop::sample::select(vec![Direction::In, Direction::Out]);
    let end = prop::sample::select(vec![Endpoint::Source, Endpoint::Destination]);
    let any_addresses = || ip_version().prop_flat_map(addresses);
    let mask = prop_oneof![1u32..32, Just(0xfff0_0000)];
    let part = (mask, 0u32..64).prop_map(|(mask, value)| Shard {
        mask: u128::from(mask),
        value: u128::from(value & mask),
    });
    let condition = prop_oneof![
        Just(NftMatch::CtStateEstablished),
        Just(NftMatch::CtStatusDnat),
        Just(NftMatch::CtLabelAdmitted),
        (0u32..32).prop_map(|bit| NftMatch::CtMark(1 << bit)),
        ip_version().prop_map(NftMatch::NfProto),
        (direction(), interface()).prop_map(|(direction, it)| NftMatch::Interface(direction, it)),
        direction().prop_map(NftMatch::DockerBridgeName),
        Just(NftMatch::InBridge),
        any_addresses().prop_map(NftMatch::Destination),
        protocol().prop_map(NftMatch::Protocol),
        ports().prop_map(NftMatch::Ports),
        (protocol(), "[a-z]{1,9}").prop_map(|(of, set)| NftMatch::PortSet(of, set.into())),
        "[a-z]{1,9}".prop_map(|set| NftMatch::ServiceSet(set.into())),
        (ip_version(), "[a-z]{1,9}")
            .prop_map(|(version, set)| NftMatch::DestinationServiceSet(version, set.into())),
        ("[a-z]{1,9}", any::<bool>())
            .prop_map(|(set, negated)| { NftMatch::Time(TimeMatch { set: set.into(), negated }) }),
        cgroup().prop_map(NftMatch::Cgroup),
        any::<bool>().prop_map(NftMatch::SocketWildcard),
        any::<bool>().prop_map(NftMatch::SocketTransparent),
        ports().prop_map(NftMatch::CtOriginalPorts),
        (end, any_addresses()).prop_map(|(end, it)| NftMatch::CtOriginalAddress(end, it)),
    ];
    let lookup = (ip_version(), prop::option::of(part), "[a-z]{1,9}-4");
    (prop::collection::vec(condition, 0..4), prop::option::of(lookup)).prop_map(|(all, set)| {
        // A condition on the IP header comes after one on its version.
        let version = |it: &NftMatch| it.header_version().map(NftMatch::NfProto);
        let mut all: Vec<NftMatch> =
            all.into_iter().flat_map(|it| version(&it).into_iter().chain([it])).collect();
        if let Some((version, part, set)) = set {
            // A rule asks for the source once.
            all.retain(|it| !matches!(it, NftMatch::CtOriginalAddress(Endpoint::Source, _)));
            if let Some(part) = part {
                let at = if part.value == 0 { 0 } else { all.len() };
                all.insert(at, NftMatch::CtOriginalShard(version, part));
            }
            all.push(NftMatch::CtOriginalSet(version, set.as_str().into()));
            all.push(NftMatch::CtOriginalServiceSet(version, set.into()));
        }
        all
    })
}

fn log_target() -> impl Strategy<Value = LogTarget> {
    prop_oneof![Just(LogTarget::Kernel), any::<u16>().prop_map(LogTarget::Nflog)]
}

fn update_key() -> impl Strategy<Value = UpdateKey> {
    prop_oneof![
        protocol().prop_map(UpdateKey::Port),
        ip_version().prop_map(UpdateKey::OriginalSource),
        Just(UpdateKey::OriginalPort),
        ip_version().prop_map(UpdateKey::SourceNetwork),
    ]
}

fn rate() -> impl Strategy<Value = Rate> {
    let unit = prop::sample::select(RateUnit::ALL.to_vec());
    let new = |(count, unit, burst)| Rate::new(count, unit, Some(burst)).ok();
    (1u64..=1_000_000, unit, 1u64..=1_000_000).prop_filter_map("a rate", new)
}

pub fn flow_limits() -> impl Strategy<Value = FlowLimits> {
    let connections = ("[a-z]{1,9}", ip_version(), any::<NonZeroU32>())
        .prop_map(|(set, version, count)| ConnectionLimit { set: set.into(), version, count });
    let key = prop_oneof![
        ip_version().prop_map(UpdateKey::SourceNetwork),
        Just(UpdateKey::OriginalPort),
        Just(UpdateKey::Direction),
    ];
    let rate = (rate(), "[a-z]{1,9}", key).prop_map(|(rate, set, key)| RateLimit {
        rate,
        set: set.into(),
        key,
    });
    (prop::option::of(connections), prop::option::of(rate))
        .prop_filter("at least one", |(connections, rate)| connections.is_some() || rate.is_some())
        .prop_map(|(connections, rate)| FlowLimits { connections, rate })
}

/// A rule of nft with any conditions and statement.
pub fn nft_rule() -> impl Strategy<Value = Rule> {
    let statement = prop_oneof![
        Just(NftStatement::Accept),
        Just(NftStatement::Drop),
        Just(NftStatement::Return),
        Just(NftStatement::RejectWithReset),
        "[a-z]{1,9}".prop_map(|chain| NftStatement::Jump(chain.into())),
        "[a-z]{1,9}".prop_map(|chain| NftStatement::Goto(chain.into())),
        "[a-z]{1,9}".prop_map(|map| NftStatement::OriginalPortMap(map.into())),
        any::<u32>().prop_map(NftStatement::ClearCtMark),
        flow_limits().prop_map(NftStatement::AcceptWithin),
        ("[a-z]{1,9}", update_key(), any::<NonZeroU32>()).prop_map(|(set, key, timeout)| {
            NftStatement::UpdateSet(SetUpdate { set: set.into(), key, timeout })
        }),
        (log_target(), "[a-z: ]{1,60}")
            .prop_map(|(target, prefix)| { NftStatement::Log { target, prefix: prefix.into() } }),
    ];
    let comment = prop::option::of("[a-z ]{1,80}");
    (conditions(), comment, statement).prop_map(|(mut conditions, comment, statement)| {
        let protocol = match &statement {
            NftStatement::UpdateSet(SetUpdate { key: UpdateKey::Port(protocol), .. }) => {
                Some(*protocol)
            }
            NftStatement::UpdateSet(_) | NftStatement::AcceptWithin(_) => Some(Protocol::Udp),
            NftStatement::RejectWithReset => Some(Protocol::Tcp),
            NftStatement::OriginalPortMap(_) => Some(Protocol::Sctp),
            _ => None,
        };
        conditions.extend(protocol.map(NftMatch::Protocol));
        let comment = comment.map(Into::into);
        NftRule { comment, ..NftRule::new(conditions, statement) }.into()
    })
}

/// A rule of iptables.
pub fn iptables_rule(version: IpVersion) -> impl Strategy<Value = Rule> {
    let header = (
        prop::option::of(network(version)),
        prop::option::of(network(version)),
        prop::option::of(interface()),
        prop::option::of(ports()),
    );
    let matches = prop::collection::vec(extension(version), 0..4);
    (header, matches, verdict()).prop_map(|(header, mut matches, verdict)| {
        let (source, destination, in_interface, ports) = header;
        if let Some(ports) = ports {
            matches.insert(0, Match::DestinationPorts(ports));
        }
        let protocol = ports.map(|ports| ports.protocol());
        let matches = matches.into();
        IptablesRule { source, destination, in_interface, protocol, matches, verdict }.into()
    })
}

/// A rule that looks up the set of a large group.
pub fn large_group_rule() -> impl Strategy<Value = Rule> {
    let part = (0u32..6).prop_map(|bits| Shard { mask: (1 << bits) - 1, value: 0 });
    let header = (ip_version(), prop::option::of(interface()), ports(), prop::option::of(part));
    let rest = (1u32.., prop::option::of("[a-z ]{1,80}"), 0u8..3);
    (header, rest).prop_flat_map(|((version, in_interface, ports, part), (bits, comment, to))| {
        (network(version), range(version)).prop_map(move |(network, range)| {
            let interface = in_interface.clone().map(|it| NftMatch::Interface(Direction::In, it));
            let mut matches: Vec<NftMatch> = interface.into_iter().collect();
            matches.push(NftMatch::NfProto(version));
            if to == 2 {
                matches.extend(AddressSpec::exact(network).map(NftMatch::Destination));
            }
            matches.push(NftMatch::Ports(ports));
            if to == 1 {
                let range = AddressSpec::range(range.first(), range.last()).ok();
                let range = range.filter(|range| range.as_range().is_some());
                matches.extend(range.map(NftMatch::Destination));
            }
            matches.extend(part.map(|part| NftMatch::SourceShard(version, part)));
            matches.push(NftMatch::SourceSet(version, "cdn-4.0".into()));
            matches.push(NftMatch::DstTypeLocal);
            let comment = comment.as_deref().map(Into::into);
            NftRule { comment, ..NftRule::new(matches, NftStatement::SetCtMark(bits)) }.into()
        })
    })
}

/// Elements of a set of published ports, sorted.
fn services(kind: SetKind) -> impl Strategy<Value = Vec<Interval>> {
    let address = match kind {
        SetKind::PublishedAt { version, .. } => {
            network(version).prop_map(|it| Some(it.ip())).boxed()
        }
        _ => Just(None).boxed(),
    };
    let service = (address, protocol(), 1u16..)
        .prop_map(|(address, protocol, port)| Interval::of_service(address, protocol, port));
    prop::collection::btree_set(service, 0..60).prop_map(|all| all.into_iter().collect())
}

pub fn sorted_intervals(kind: SetKind) -> impl Strategy<Value = Vec<Interval>> {
    if kind.is_published() {
        return services(kind).boxed();
    }
    let (limit, number) = match kind.version() {
        Some(IpVersion::V6) => (u128::MAX, 60),
        Some(IpVersion::V4) => (u128::from(u32::MAX), 60),
        None if kind == SetKind::Times => (u128::from(u64::MAX), 60),
        None => (0, 1),
    };
    let ends = prop::collection::btree_set(0..=limit, 0..number);
    ends.prop_map(move |ends| {
        let ends: Vec<u128> = ends.into_iter().collect();
        if !kind.is_intervals() {
            return ends.into_iter().map(|end| Interval { first: end, last: end }).collect();
        }
        ends.chunks_exact(2).map(|pair| Interval { first: pair[0], last: pair[1] }).collect()
    })
    .boxed()
}

pub fn set_kind() -> impl Strategy<Value = SetKind> {
    ip_version().prop_flat_map(|version| {
        let hosts = SetKind::Hosts { version, capacity: 1024 };
        prop::sample::select(vec![
            hosts,
            SetKind::Intervals { version },
            SetKind::Published { capacity: 2048 },
            SetKind::PublishedAt { version, capacity: 1024 },
            SetKind::DynamicPorts,
            SetKind::RefusedSources { version },
            SetKind::RefusedPorts,
            SetKind::Times,
            SetKind::BannedHosts { version },
            SetKind::GrantedHosts { version },
            SetKind::GrantRanges { version },
            SetKind::LimitedSources { version },
            SetKind::LimitedPorts,
            SetKind::LimitedFlows,
            SetKind::ConnectedSources { version },
        ])
    })
}
