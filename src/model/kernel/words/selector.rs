//! What a rule loads, in nft's words.

use super::super::key::{CtKey, MetaKey};
use super::super::part::{FlowDirection, Load, PayloadBase};
use super::value::{ByteOrder, Kind};
use crate::model::IpVersion;

/// What is loaded, and the type of its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    pub text: String,
    pub kind: Kind,
    /// Whether it implies the transport protocol, or the version of IP, that a condition before it
    /// tests.
    pub implies: Implied,
}

/// Which earlier condition a selector makes superfluous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Implied {
    Nothing,
    Version,
    Transport,
    /// `icmp` and `icmpv6` imply both.
    Both,
}

/// What is known of the packet where it is loaded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context {
    pub version: Option<IpVersion>,
    pub transport: Option<u8>,
}

/// What is loaded, in words.
pub fn selector(load: Load, context: Context) -> Selector {
    match load {
        Load::Meta(key) => meta(key),
        Load::Ct(key, direction) => ct(key, direction),
        Load::Fib { result, flags } => fib(result, flags),
        Load::Socket { key, level } => socket(key, level),
        Load::Payload { base, offset, length } => payload(base, offset, length, context),
    }
}

fn plain(text: impl Into<String>, kind: Kind) -> Selector {
    Selector { text: text.into(), kind, implies: Implied::Nothing }
}

fn meta(key: MetaKey) -> Selector {
    let kind = match key {
        MetaKey::PROTOCOL => Kind::EtherType,
        MetaKey::MARK => Kind::Mark,
        MetaKey::IIF | MetaKey::OIF => Kind::InterfaceIndex,
        MetaKey::IIFNAME | MetaKey::OIFNAME | MetaKey::IIFKIND | MetaKey::OIFKIND => {
            Kind::InterfaceName
        }
        MetaKey::NFPROTO => Kind::NfProtocol,
        MetaKey::L4PROTO => Kind::L4Protocol,
        MetaKey::PKTTYPE => Kind::PacketType,
        MetaKey::TIME_NS => Kind::Time(ByteOrder::Host),
        MetaKey::TIME_DAY => Kind::Day,
        MetaKey::TIME_HOUR => Kind::Hour(ByteOrder::Host),
        _ => Kind::HostNumber,
    };
    let is_bare = matches!(key, MetaKey::IIF | MetaKey::OIF | MetaKey::IIFNAME | MetaKey::OIFNAME);
    match key.name() {
        Some(name) if is_bare => plain(name, kind),
        Some(name) => plain(format!("meta {name}"), kind),
        None => plain(format!("[meta {}]", key.0), kind),
    }
}

fn ct(key: CtKey, direction: Option<FlowDirection>) -> Selector {
    let kind = match key {
        CtKey::STATE => Kind::CtState,
        CtKey::STATUS => Kind::CtStatus,
        CtKey::DIRECTION => Kind::CtDirection,
        CtKey::MARK => Kind::Mark,
        CtKey::PROTOCOL => Kind::L4Protocol,
        CtKey::L3PROTOCOL => Kind::NfProtocol,
        CtKey::SRC_IP | CtKey::DST_IP => Kind::Address(IpVersion::V4),
        CtKey::SRC_IP6 | CtKey::DST_IP6 => Kind::Address(IpVersion::V6),
        CtKey::PROTO_SRC | CtKey::PROTO_DST => Kind::Port,
        _ => Kind::HostNumber,
    };
    let direction = match direction {
        None => "",
        Some(FlowDirection::Original) => "original ",
        Some(FlowDirection::Reply) => "reply ",
    };
    match key.name() {
        Some(name) => plain(format!("ct {direction}{name}"), kind),
        None => plain(format!("[ct {direction}{}]", key.0), kind),
    }
}

/// `NFT_FIB_RESULT_*`, and `NFTA_FIB_F_*` in nft's order.
fn fib(result: u32, flags: u32) -> Selector {
    const PRESENT: u32 = 32;
    const FLAGS: [(u32, &str); 5] =
        [(1, "saddr"), (2, "daddr"), (4, "mark"), (8, "iif"), (16, "oif")];
    let from = super::names::bits(flags, FLAGS).join(" . ");
    let (result, kind) = match result {
        1 if flags & PRESENT != 0 => ("oif", Kind::Presence),
        1 => ("oif", Kind::InterfaceIndex),
        2 => ("oifname", Kind::InterfaceName),
        _ => ("type", Kind::AddressType),
    };
    plain(format!("fib {from} {result}"), kind)
}

fn socket(key: u32, level: u32) -> Selector {
    match key {
        0 => plain("socket transparent", Kind::Number),
        1 => plain("socket mark", Kind::Mark),
        2 => plain("socket wildcard", Kind::Number),
        3 => plain(format!("socket cgroupv2 level {level}"), Kind::HostNumber),
        _ => plain(format!("[socket {key}]"), Kind::Number),
    }
}

fn payload(base: PayloadBase, offset: u32, length: u32, context: Context) -> Selector {
    let known = match base {
        PayloadBase::Network => context.version.and_then(|it| network(it, offset, length)),
        PayloadBase::Transport => transport(context, offset, length),
        PayloadBase::Link | PayloadBase::Inner => None,
    };
    known.unwrap_or_else(|| {
        let base = match base {
            PayloadBase::Link => "ll",
            PayloadBase::Network => "nh",
            PayloadBase::Transport => "th",
            PayloadBase::Inner => "ih",
        };
        let (offset, length) = (u64::from(offset) * 8, u64::from(length) * 8);
        plain(format!("@{base},{offset},{length}"), Kind::Number)
    })
}

/// A field of the IP header. Of an address the leading bytes may be loaded alone.
fn network(version: IpVersion, offset: u32, length: u32) -> Option<Selector> {
    let (header, fields): (&str, &[(u32, u32, &str, Kind)]) = match version {
        IpVersion::V4 => (
            "ip",
            &[
                (2, 2, "length", Kind::Number),
                (4, 2, "id", Kind::Number),
                (6, 2, "frag-off", Kind::Number),
                (8, 1, "ttl", Kind::Number),
                (9, 1, "protocol", Kind::L4Protocol),
                (12, 4, "saddr", Kind::Address(IpVersion::V4)),
                (16, 4, "daddr", Kind::Address(IpVersion::V4)),
            ],
        ),
        IpVersion::V6 => (
            "ip6",
            &[
                (4, 2, "length", Kind::Number),
                (6, 1, "nexthdr", Kind::L4Protocol),
                (7, 1, "hoplimit", Kind::Number),
                (8, 16, "saddr", Kind::Address(IpVersion::V6)),
                (24, 16, "daddr", Kind::Address(IpVersion::V6)),
            ],
        ),
    };
    let is_loaded = |(begin, size, _, kind): &&(u32, u32, &str, Kind)| {
        let is_part = matches!(kind, Kind::Address(_)) && length <= *size;
        *begin == offset && (*size == length || is_part)
    };
    let (_, _, name, kind) = fields.iter().find(is_loaded)?;
    Some(Selector { text: format!("{header} {name}"), kind: *kind, implies: Implied::Version })
}

fn transport(context: Context, offset: u32, length: u32) -> Option<Selector> {
    let number = context.transport;
    let name = number.and_then(super::names::protocol);
    let (field, kind) = match (number, offset, length) {
        (Some(1), 0, 1) => return of_icmp("icmp type", Kind::IcmpType(IpVersion::V4)),
        (Some(58), 0, 1) => return of_icmp("icmpv6 type", Kind::IcmpType(IpVersion::V6)),
        (Some(1), 1, 1) => return of_icmp("icmp code", Kind::Number),
        (Some(58), 1, 1) => return of_icmp("icmpv6 code", Kind::Number),
        (Some(6), 13, 1) => ("flags", Kind::TcpFlags),
        (Some(1 | 58), ..) => return None,
        (_, 0, 2) => ("sport", Kind::Port),
        (_, 2, 2) => ("dport", Kind::Port),
        _ => return None,
    };
    match name {
        Some(name) => of_protocol(&format!("{name} {field}"), kind),
        None => Some(plain(format!("th {field}"), kind)),
    }
}

fn of_protocol(text: &str, kind: Kind) -> Option<Selector> {
    Some(Selector { text: text.to_owned(), kind, implies: Implied::Transport })
}

fn of_icmp(text: &str, kind: Kind) -> Option<Selector> {
    Some(Selector { text: text.to_owned(), kind, implies: Implied::Both })
}
