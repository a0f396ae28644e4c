//! Values in nft's words.

use std::net::IpAddr;

use super::names::{self, ADDRESS_TYPES, TCP_FLAGS};
use crate::model::IpVersion;

/// The order of a number's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    Host,
    Network,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Address(IpVersion),
    Port,
    L4Protocol,
    NfProtocol,
    EtherType,
    InterfaceName,
    InterfaceIndex,
    CtState,
    CtStatus,
    CtDirection,
    Mark,
    PacketType,
    AddressType,
    TcpFlags,
    IcmpType(IpVersion),
    Presence,
    /// Nanoseconds since 1970.
    Time(ByteOrder),
    /// A day of the week; 0 is Sunday.
    Day,
    /// Seconds since midnight.
    Hour(ByteOrder),
    /// A number in the network's order.
    Number,
    /// A number in the host's order.
    HostNumber,
}

impl Kind {
    /// Whether its bits are names, of which several may be set.
    pub fn is_flags(self) -> bool {
        matches!(self, Kind::CtState | Kind::CtStatus | Kind::TcpFlags)
    }

    /// Whether the value is a number in the host's order.
    pub fn is_host_order(self) -> bool {
        matches!(
            self,
            Kind::CtState
                | Kind::CtStatus
                | Kind::Mark
                | Kind::InterfaceIndex
                | Kind::AddressType
                | Kind::HostNumber
                | Kind::Time(ByteOrder::Host)
                | Kind::Hour(ByteOrder::Host)
        )
    }

    /// The type of the value after its bytes were put into the network's order.
    pub fn in_network_order(self) -> Kind {
        match self {
            Kind::Time(_) => Kind::Time(ByteOrder::Network),
            Kind::Hour(_) => Kind::Hour(ByteOrder::Network),
            kind if kind.is_host_order() => Kind::Number,
            kind => kind,
        }
    }
}

/// `NF_CT_STATE_*`, in nft's order.
const CT_STATES: [(u32, &str); 5] =
    [(1, "invalid"), (2, "established"), (4, "related"), (8, "new"), (64, "untracked")];
/// `IPS_*`.
const CT_STATUS: [(u32, &str); 8] = [
    (1, "expected"),
    (2, "seen-reply"),
    (4, "assured"),
    (8, "confirmed"),
    (16, "snat"),
    (32, "dnat"),
    (512, "dying"),
    (1 << 14, "helper"),
];

/// A value in words.
pub fn text(kind: Kind, bytes: &[u8]) -> String {
    let number = number(kind, bytes);
    let small = u32::try_from(number).unwrap_or(u32::MAX);
    let known = match kind {
        Kind::Address(version) => address(version, bytes).map(|address| address.to_string()),
        Kind::L4Protocol => u8::try_from(number).ok().and_then(names::protocol).map(str::to_owned),
        Kind::NfProtocol => named(small, &[(2, "ipv4"), (10, "ipv6")]),
        Kind::EtherType => {
            named(small, &[(0x0800, "ip"), (0x0806, "arp"), (0x86dd, "ip6"), (0x8100, "vlan")])
        }
        Kind::InterfaceName => Some(interface_name(bytes)),
        // The loopback interface is always the first.
        Kind::InterfaceIndex => named(small, &[(1, "\"lo\"")]),
        Kind::CtState => Some(flags(small, &CT_STATES)),
        Kind::CtStatus => Some(flags(small, &CT_STATUS)),
        Kind::CtDirection => named(small, &[(0, "original"), (1, "reply")]),
        Kind::Mark => Some(format!("{small:#010x}")),
        Kind::PacketType => {
            named(small, &[(0, "host"), (1, "broadcast"), (2, "multicast"), (3, "other")])
        }
        Kind::AddressType => ADDRESS_TYPES.get(small as usize).map(|name| (*name).to_owned()),
        Kind::TcpFlags => Some(flags(small, &tcp_flags())),
        Kind::IcmpType(version) => icmp_type(version, small).map(str::to_owned),
        Kind::Presence => named(small, &[(0, "missing"), (1, "exists")]),
        Kind::Time(_) => time(number),
        Kind::Day => DAYS.get(small as usize).map(|name| format!("\"{name}\"")),
        Kind::Hour(_) => Some(hour(small)),
        Kind::Port | Kind::Number | Kind::HostNumber => None,
    };
    known.unwrap_or_else(|| number.to_string())
}

/// The days of the week, as the kernel numbers them.
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// `"2026-12-01 18:00:00"` in UTC; nft has it in the time zone of whoever lists it.
fn time(nanoseconds: u128) -> Option<String> {
    let seconds = i64::try_from(nanoseconds / 1_000_000_000).ok()?;
    let timestamp = jiff::Timestamp::from_second(seconds).ok()?;
    Some(timestamp.strftime("\"%Y-%m-%d %H:%M:%S\"").to_string())
}

/// `"08:00"`, `"08:00:30"` in UTC.
fn hour(seconds: u32) -> String {
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match second {
        0 => format!("\"{hour:02}:{minute:02}\""),
        _ => format!("\"{hour:02}:{minute:02}:{second:02}\""),
    }
}

/// A range of values in words: a network where the addresses are one.
pub fn range(kind: Kind, first: &[u8], last: &[u8]) -> String {
    if first == last {
        return text(kind, first);
    }
    let network = match kind {
        Kind::Address(version) => network(version, first, last),
        _ => None,
    };
    network.unwrap_or_else(|| format!("{}-{}", text(kind, first), text(kind, last)))
}

fn network(version: IpVersion, first: &[u8], last: &[u8]) -> Option<String> {
    let mask: Vec<u8> = first.iter().zip(last).map(|(first, last)| !(first ^ last)).collect();
    let prefix = masked_prefix(&mask)?;
    let has_no_host_bits = first.iter().zip(&mask).all(|(first, mask)| first & !mask == 0);
    let is_whole = last.iter().zip(&mask).all(|(last, mask)| last | mask == 0xff);
    let address = address(version, first)?;
    (has_no_host_bits && is_whole).then(|| format!("{address}/{prefix}"))
}

/// The number that the bytes are.
pub fn number(kind: Kind, bytes: &[u8]) -> u128 {
    let append = |number: u128, byte: &u8| number << 8 | u128::from(*byte);
    if kind.is_host_order() && cfg!(target_endian = "little") {
        bytes.iter().rev().fold(0, append)
    } else {
        bytes.iter().fold(0, append)
    }
}

/// The address that begins with these octets; those that are missing are 0.
pub fn address(version: IpVersion, leading: &[u8]) -> Option<IpAddr> {
    if leading.len() > version.address_bytes() {
        return None;
    }
    let mut octets = [0; 16];
    octets[..leading.len()].copy_from_slice(leading);
    let [a, b, c, d, ..] = octets;
    Some(match version {
        IpVersion::V4 => IpAddr::from([a, b, c, d]),
        IpVersion::V6 => IpAddr::from(octets),
    })
}

/// The length of a mask of leading ones.
pub fn masked_prefix(mask: &[u8]) -> Option<u8> {
    let ones: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let mut leading = 0;
    for byte in mask {
        leading += byte.leading_ones();
        if *byte != 0xff {
            break;
        }
    }
    (leading == ones).then(|| u8::try_from(ones).ok())?
}

/// `"eth0"`; without a NUL it is the beginning of a name.
fn interface_name(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    let name = String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]);
    let star = if end.is_none() && bytes.len() < 16 { "*" } else { "" };
    format!("\"{name}{star}\"")
}

fn named(number: u32, names: &[(u32, &str)]) -> Option<String> {
    let found = names.iter().find(|(named, _)| *named == number);
    found.map(|(_, name)| (*name).to_owned())
}

/// `established,related`; bits without a name are shown as a number.
fn flags(bits: u32, names: &[(u32, &str)]) -> String {
    let all = names.iter().fold(0, |all, (bit, _)| all | bit);
    if bits == 0 || bits & !all != 0 {
        return format!("{bits:#x}");
    }
    names::bits(bits, names.iter().copied()).join(",")
}

fn tcp_flags() -> [(u32, &'static str); 8] {
    let mut names = [(0, ""); 8];
    for (bit, name) in TCP_FLAGS.into_iter().enumerate() {
        names[bit] = (1 << bit, name);
    }
    names
}

fn icmp_type(version: IpVersion, number: u32) -> Option<&'static str> {
    const V4: [(u32, &str); 9] = [
        (0, "echo-reply"),
        (3, "destination-unreachable"),
        (5, "redirect"),
        (8, "echo-request"),
        (9, "router-advertisement"),
        (10, "router-solicitation"),
        (11, "time-exceeded"),
        (12, "parameter-problem"),
        (13, "timestamp-request"),
    ];
    const V6: [(u32, &str); 14] = [
        (1, "destination-unreachable"),
        (2, "packet-too-big"),
        (3, "time-exceeded"),
        (4, "parameter-problem"),
        (128, "echo-request"),
        (129, "echo-reply"),
        (130, "mld-listener-query"),
        (131, "mld-listener-report"),
        (132, "mld-listener-done"),
        (133, "nd-router-solicit"),
        (134, "nd-router-advert"),
        (135, "nd-neighbor-solicit"),
        (136, "nd-neighbor-advert"),
        (143, "mld2-listener-report"),
    ];
    let names: &[(u32, &str)] = match version {
        IpVersion::V4 => &V4,
        IpVersion::V6 => &V6,
    };
    names.iter().find(|(named, _)| *named == number).map(|(_, name)| *name)
}
