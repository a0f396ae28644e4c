//! What rules load about the packet.

use std::net::IpAddr;

use super::bits::Bits;
use super::clock;
use super::host::{Found, HostView, Route, RouteQuery};
use super::packet::{
    Ends, Packet, STATE_INVALID, STATE_NEW, STATE_UNTRACKED, Tracking, address, port,
};
use crate::model::kernel::{CtKey, FlowDirection, Load, MetaKey};
use crate::model::{IpVersion, Listener};

/// Length of an interface's name, padded (`IFNAMSIZ`).
const INTERFACE_LENGTH: usize = 16;

/// What a load yields; `None` if there is nothing to load, so that the rule does not match.
pub type Loaded = Option<Bits>;

/// Loads something about the packet.
pub fn load(what: Load, packet: &Packet, host: &HostView) -> Loaded {
    match what {
        Load::Meta(key) => meta(key, packet, host),
        Load::Payload { base, offset, length } => {
            Some(packet.payload(base, offset as usize, length as usize))
        }
        Load::Ct(key, direction) => ct(key, direction, packet),
        Load::Fib { result, flags } => Some(fib(result, flags, packet, host)),
        Load::Socket { key, level } => socket(key, level, packet, host),
    }
}

/// The length in bytes of what is loaded, as far as it is known without the packet.
pub fn length(what: Load) -> usize {
    match what {
        Load::Payload { length, .. } => length as usize,
        Load::Meta(MetaKey::IIFNAME | MetaKey::OIFNAME | MetaKey::IIFKIND | MetaKey::OIFKIND) => {
            INTERFACE_LENGTH
        }
        Load::Meta(MetaKey::TIME_NS) => 8,
        // The kernel fills the rest of the word with zeros, which a key of several fields includes.
        Load::Meta(MetaKey::L4PROTO | MetaKey::NFPROTO) => 1,
        Load::Ct(CtKey::PROTO_SRC | CtKey::PROTO_DST, _) => 2,
        _ => 4,
    }
}

fn meta(key: MetaKey, packet: &Packet, host: &HostView) -> Loaded {
    let link = |name: &Option<crate::model::Name>| host.link(name.as_deref()?);
    Some(match key {
        MetaKey::PROTOCOL => Bits::known(&ether_type(packet.version).to_be_bytes()),
        MetaKey::MARK => packet.mark.clone(),
        MetaKey::IIF => index(&packet.in_interface, host),
        MetaKey::OIF => index(&packet.out_interface, host),
        MetaKey::IIFNAME => text(packet.in_interface.as_deref().unwrap_or_default()),
        MetaKey::OIFNAME => text(packet.out_interface.as_deref().unwrap_or_default()),
        MetaKey::IIFKIND => text(link(&packet.in_interface)?.kind.as_deref()?),
        MetaKey::OIFKIND => text(link(&packet.out_interface)?.kind.as_deref()?),
        MetaKey::NFPROTO => Bits::known(&[nfproto(packet.version)]),
        MetaKey::L4PROTO => Bits::known(&[packet.protocol.number()]),
        MetaKey::NFTRACE => Bits::known(&[0]),
        MetaKey::TIME_NS | MetaKey::TIME_DAY | MetaKey::TIME_HOUR => clock::load(key, host.now),
        // `PACKET_HOST`, unless it is not for one host.
        MetaKey::PKTTYPE if is_one_host(packet.original.destination, host) => Bits::known(&[0]),
        // A packet that comes in has no socket of a process yet.
        MetaKey::SKUID | MetaKey::SKGID | MetaKey::CGROUP => return None,
        _ => Bits::unknown(INTERFACE_LENGTH),
    })
}

fn is_one_host(destination: IpAddr, host: &HostView) -> bool {
    let kind = host.address_type(destination, None);
    kind != super::host::MULTICAST && kind != super::host::BROADCAST
}

fn index(interface: &Option<crate::model::Name>, host: &HostView) -> Bits {
    match interface {
        None => Bits::number(0),
        Some(name) => {
            host.link(name).map_or_else(|| Bits::unknown(4), |link| Bits::number(link.index))
        }
    }
}

/// Text, padded as the kernel pads the names of interfaces.
fn text(text: &str) -> Bits {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(INTERFACE_LENGTH, 0);
    Bits::known(&bytes)
}

/// `ETH_P_IP`, `ETH_P_IPV6`.
fn ether_type(version: IpVersion) -> u16 {
    match version {
        IpVersion::V4 => 0x0800,
        IpVersion::V6 => 0x86dd,
    }
}

fn nfproto(version: IpVersion) -> u8 {
    let number = match version {
        IpVersion::V4 => libc::NFPROTO_IPV4,
        IpVersion::V6 => libc::NFPROTO_IPV6,
    };
    number as u8
}

fn ct(key: CtKey, direction: Option<FlowDirection>, packet: &Packet) -> Loaded {
    let is_new = match packet.tracking {
        Tracking::Unsure => return Some(Bits::unknown(16)),
        Tracking::New => true,
        Tracking::Before | Tracking::Untracked => false,
    };
    if key == CtKey::STATE {
        return Some(Bits::number(state(packet.tracking)));
    }
    if !is_new {
        return None;
    }
    let ends = ends(packet, direction.unwrap_or(FlowDirection::Original));
    let has = |version: IpVersion| packet.version == version;
    Some(match key {
        CtKey::DIRECTION => Bits::known(&[0]),
        CtKey::STATUS => Bits::number(packet.ct_status),
        CtKey::MARK => packet.ct_mark.clone(),
        CtKey::ZONE => Bits::known(&packet.ct_zone.to_ne_bytes()),
        CtKey::L3PROTOCOL => Bits::known(&[nfproto(packet.version)]),
        CtKey::PROTOCOL => Bits::known(&[packet.protocol.number()]),
        CtKey::SRC => address(ends.source),
        CtKey::DST => address(ends.destination),
        CtKey::SRC_IP if has(IpVersion::V4) => address(ends.source),
        CtKey::DST_IP if has(IpVersion::V4) => address(ends.destination),
        CtKey::SRC_IP6 if has(IpVersion::V6) => address(ends.source),
        CtKey::DST_IP6 if has(IpVersion::V6) => address(ends.destination),
        CtKey::SRC_IP | CtKey::DST_IP | CtKey::SRC_IP6 | CtKey::DST_IP6 => return None,
        CtKey::PROTO_SRC => port(ends.source_port),
        CtKey::PROTO_DST => port(Some(ends.port)),
        _ => Bits::unknown(16),
    })
}

/// `NF_CT_STATE_*`.
pub fn state(tracking: Tracking) -> u32 {
    match tracking {
        Tracking::New => STATE_NEW,
        Tracking::Untracked => STATE_UNTRACKED,
        Tracking::Before | Tracking::Unsure => STATE_INVALID,
    }
}

/// A direction of the flow. An answer comes from where the packet is sent to now, and the source is
/// translated last.
pub fn ends(packet: &Packet, direction: FlowDirection) -> Ends {
    match direction {
        FlowDirection::Original => packet.original.clone(),
        FlowDirection::Reply => Ends {
            source: packet.ends.destination,
            source_port: Some(packet.ends.port),
            destination: packet.original.source,
            port: packet.original.source_port.unwrap_or(0),
        },
    }
}

/// `NFT_FIB_RESULT_*` and `NFTA_FIB_F_*`.
mod fib_numbers {
    pub const OIF: u32 = 1;
    pub const OIFNAME: u32 = 2;
    pub const ADDRESS_TYPE: u32 = 3;
    pub const SOURCE: u32 = 1;
    pub const MARK: u32 = 4;
    pub const IN_INTERFACE: u32 = 8;
    pub const OUT_INTERFACE: u32 = 16;
    pub const PRESENT: u32 = 32;
}

fn fib(result: u32, flags: u32, packet: &Packet, host: &HostView) -> Bits {
    use fib_numbers::{
        ADDRESS_TYPE, IN_INTERFACE, MARK, OIF, OIFNAME, OUT_INTERFACE, PRESENT, SOURCE,
    };
    let Ends { source, destination, .. } = packet.ends;
    let address = if flags & SOURCE != 0 { source } else { destination };
    let interface = match flags & (IN_INTERFACE | OUT_INTERFACE) {
        0 => None,
        IN_INTERFACE => packet.in_interface.as_deref(),
        _ => packet.out_interface.as_deref(),
    };
    if result == ADDRESS_TYPE {
        return Bits::number(host.address_type(address, interface).into());
    }
    let mark = if flags & MARK != 0 { packet.mark.as_number() } else { Some(0) };
    let Some(mark) = mark else { return Bits::unknown(INTERFACE_LENGTH) };
    let query = RouteQuery { source: None, destination: address, mark, in_interface: None };
    let found = match (host.route)(&query) {
        Route::Via(found) => Some(found),
        Route::Unreachable => None,
        // The interface that has the address, or a lookup that was not made.
        Route::Local | Route::Unknown => return Bits::unknown(INTERFACE_LENGTH),
    };
    // A route by another interface does not exclude one by this interface.
    if found.is_some() && interface.is_some_and(|name| found.as_deref() != Some(name)) {
        return Bits::unknown(INTERFACE_LENGTH);
    }
    match result {
        OIF | OIFNAME if flags & PRESENT != 0 => Bits::known(&[u8::from(found.is_some()), 0, 0, 0]),
        OIF => index(&found, host),
        OIFNAME => text(found.as_deref().unwrap_or_default()),
        _ => Bits::unknown(INTERFACE_LENGTH),
    }
}

/// `NFT_SOCKET_*`.
mod socket_numbers {
    pub const WILDCARD: u32 = 2;
    pub const CGROUPV2: u32 = 3;
}

fn socket(key: u32, level: u32, packet: &Packet, host: &HostView) -> Loaded {
    const LONGEST: usize = 8;
    let found = host.socket(packet.ends.destination, packet.ends.port, packet.protocol);
    let listener: &Listener = match found {
        None | Some(Found::Several) => return Some(Bits::unknown(LONGEST)),
        Some(Found::None) => return None,
        Some(Found::One(listener)) => listener,
    };
    match key {
        socket_numbers::WILDCARD => Some(Bits::known(&[u8::from(listener.address.is_none())])),
        socket_numbers::CGROUPV2 => {
            let sockets = host.sockets?;
            let ancestor = listener.cgroup.map(|cgroup| (sockets.ancestor)(cgroup, level));
            match ancestor {
                None => Some(Bits::unknown(LONGEST)),
                // A cgroup at a lower level has no such ancestor.
                Some(None) => None,
                Some(Some(id)) => Some(Bits::known(&id.to_ne_bytes())),
            }
        }
        _ => Some(Bits::unknown(LONGEST)),
    }
}
