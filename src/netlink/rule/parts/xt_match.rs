//! The blobs of xtables' matches, of every revision that iptables 1.8 writes.

use ipnetwork::IpNetwork;

use super::blob::Blob;
use super::data::Data;
use crate::model::kernel::{ConntrackMatch, MaskMatch, PortMatch, Tested, XtMatch};
use crate::model::{AddressRange, COMMENT_MAX, Family, IpVersion, Protocol};
use crate::netlink::uapi::extension::{INFO, NAME, REVISION};

/// Reads the data of the expression `match`. One that is not understood is `Other`.
pub fn read(data: Data, family: Family) -> Option<XtMatch> {
    let name = data.string(NAME)?;
    let revision = data.number(REVISION)?;
    let blob = Blob(data.0.nested().find(INFO)?.payload);
    let known = match (name.as_ref(), revision) {
        ("addrtype", 0) => address_type_0(blob),
        ("addrtype", 1) => address_type(blob),
        ("comment", 0) => blob.text(0, COMMENT_MAX + 1).map(XtMatch::Comment),
        ("conntrack", 3) => conntrack(blob, family.version()),
        ("state", 0) => blob.u32(0).map(XtMatch::State),
        ("tcp", 0) => tcp(blob),
        ("udp", 0) => udp(blob),
        ("sctp", 0) => sctp(blob),
        ("multiport", 1) => multiport(blob),
        ("mark", 1) => mask(blob).map(XtMatch::Mark),
        ("connmark", 1) => mask(blob).map(XtMatch::Connmark),
        ("iprange", 1) => ranges(blob, family.version()),
        ("icmp" | "icmp6", 0) => icmp(blob, name == "icmp6"),
        ("limit", 0) => limit(blob),
        _ => None,
    };
    Some(known.unwrap_or_else(|| XtMatch::Other(name.into())))
}

/// `struct xt_addrtype_info_v1`.
fn address_type(blob: Blob) -> Option<XtMatch> {
    let flags = blob.u32(4)?;
    Some(XtMatch::AddressType {
        source: Tested { value: blob.u16(0)?, negated: flags & 1 != 0 },
        destination: Tested { value: blob.u16(2)?, negated: flags & 2 != 0 },
        limit_in: flags & 4 != 0,
        limit_out: flags & 8 != 0,
    })
}

/// `struct xt_addrtype_info`.
fn address_type_0(blob: Blob) -> Option<XtMatch> {
    Some(XtMatch::AddressType {
        source: Tested { value: blob.u16(0)?, negated: blob.u32(4)? != 0 },
        destination: Tested { value: blob.u16(2)?, negated: blob.u32(8)? != 0 },
        limit_in: false,
        limit_out: false,
    })
}

/// `struct xt_conntrack_mtinfo3`.
fn conntrack(blob: Blob, version: Option<IpVersion>) -> Option<XtMatch> {
    let (set, inverted) = (blob.u16(146)?, blob.u16(148)?);
    let has = |bit: u16| set & 1 << bit != 0;
    let negated = |bit: u16| inverted & 1 << bit != 0;
    let address = |bit: u16, offset: usize| match has(bit) {
        false => Some(None),
        true => {
            Some(Some(Tested { value: network(blob, offset, version?)?, negated: negated(bit) }))
        }
    };
    let port = |bit: u16, low: usize, high: usize| match has(bit) {
        false => Some(None),
        true => {
            let value = (blob.u16(low)?, blob.u16(high)?);
            Some(Some(Tested { value, negated: negated(bit) }))
        }
    };
    let number = |bit: u16, offset: usize| match has(bit) {
        false => Some(None),
        true => Some(Some(Tested { value: blob.u16(offset)?, negated: negated(bit) })),
    };
    let expires = (blob.u32(128)?, blob.u32(132)?);
    Some(XtMatch::Conntrack(Box::new(ConntrackMatch {
        states: number(0, 150)?,
        is_state_alias: has(13),
        status: number(6, 152)?,
        protocol: number(1, 136)?,
        original_source: address(2, 0)?,
        original_destination: address(3, 32)?,
        reply_source: address(4, 64)?,
        reply_destination: address(5, 96)?,
        original_source_port: port(8, 138, 154)?,
        original_destination_port: port(9, 140, 156)?,
        reply_source_port: port(10, 142, 158)?,
        reply_destination_port: port(11, 144, 160)?,
        is_original: has(12).then(|| !negated(12)),
        expires: has(7).then(|| Tested { value: expires, negated: negated(7) }),
    })))
}

/// An address with a mask behind it, which has to be a prefix.
fn network(blob: Blob, offset: usize, version: IpVersion) -> Option<IpNetwork> {
    let address = blob.address(offset, version)?;
    let prefix = ipnetwork::ip_mask_to_prefix(blob.address(offset + 16, version)?).ok()?;
    IpNetwork::new(address, prefix).ok()
}

/// `struct xt_tcp`.
fn tcp(blob: Blob) -> Option<XtMatch> {
    let inverted = blob.u8(11)?;
    Some(XtMatch::Ports(PortMatch {
        protocol: Protocol::Tcp,
        source: Tested { value: blob.ports(0)?, negated: inverted & 1 != 0 },
        destination: Tested { value: blob.ports(4)?, negated: inverted & 2 != 0 },
        option: Tested { value: blob.u8(8)?, negated: inverted & 8 != 0 },
        flags: Tested { value: (blob.u8(9)?, blob.u8(10)?), negated: inverted & 4 != 0 },
        chunks: false,
    }))
}

/// `struct xt_udp`.
fn udp(blob: Blob) -> Option<XtMatch> {
    let inverted = blob.u8(8)?;
    Some(XtMatch::Ports(PortMatch {
        protocol: Protocol::Udp,
        source: Tested { value: blob.ports(0)?, negated: inverted & 1 != 0 },
        destination: Tested { value: blob.ports(4)?, negated: inverted & 2 != 0 },
        option: Tested::default(),
        flags: Tested::default(),
        chunks: false,
    }))
}

/// `struct xt_sctp_info`: which conditions are set, and which of them are inverted, are in two words
/// of flags: 1 is the source ports, 2 the destination ports, 4 the chunks.
fn sctp(blob: Blob) -> Option<XtMatch> {
    let (set, inverted) = (blob.u32(284)?, blob.u32(288)?);
    let ports = |bit: u32, offset: usize| match set & bit {
        0 => Some(Tested { value: (0, u16::MAX), negated: false }),
        _ => Some(Tested { value: blob.ports(offset)?, negated: inverted & bit != 0 }),
    };
    Some(XtMatch::Ports(PortMatch {
        protocol: Protocol::Sctp,
        source: ports(1, 4)?,
        destination: ports(2, 0)?,
        option: Tested::default(),
        flags: Tested::default(),
        chunks: set & 4 != 0,
    }))
}

/// `struct xt_multiport_v1`: kind, count, fifteen ports, whether each begins a range, inverted.
fn multiport(blob: Blob) -> Option<XtMatch> {
    const PORTS_MAX: usize = 15;
    let (kind, count) = (blob.u8(0)?, usize::from(blob.u8(1)?));
    if count > PORTS_MAX || kind > 2 {
        return None;
    }
    let mut ports = Vec::new();
    let mut index = 0;
    while index < count {
        let first = blob.u16(2 + 2 * index)?;
        let begins_range = blob.u8(32 + index)? != 0;
        index += usize::from(begins_range);
        ports.push((first, blob.u16(2 + 2 * index)?));
        index += 1;
    }
    let ports = Tested { value: ports, negated: blob.u8(47)? != 0 };
    Some(XtMatch::Multiport { source: kind != 1, destination: kind != 0, ports })
}

/// `struct xt_mark_mtinfo1`, `struct xt_connmark_mtinfo1`.
fn mask(blob: Blob) -> Option<MaskMatch> {
    Some(MaskMatch { mark: blob.u32(0)?, mask: blob.u32(4)?, negated: blob.u8(8)? != 0 })
}

/// `struct xt_iprange_mtinfo`.
fn ranges(blob: Blob, version: Option<IpVersion>) -> Option<XtMatch> {
    let flags = blob.u8(64)?;
    let range = |bit: u8, inverted: u8, offset: usize| match flags & bit {
        0 => Some(None),
        _ => {
            let end = |offset| blob.address(offset, version?);
            let value = AddressRange::new(end(offset)?, end(offset + 16)?).ok()?;
            Some(Some(Tested { value, negated: flags & inverted != 0 }))
        }
    };
    Some(XtMatch::Range { source: range(1, 16, 0)?, destination: range(2, 32, 32)? })
}

/// `struct ipt_icmp`, `struct ip6t_icmp`.
fn icmp(blob: Blob, v6: bool) -> Option<XtMatch> {
    let value = (blob.u8(0)?, blob.u8(1)?, blob.u8(2)?);
    Some(XtMatch::Icmp { v6, kind: Tested { value, negated: blob.u8(3)? & 1 != 0 } })
}

/// `struct xt_rateinfo`.
fn limit(blob: Blob) -> Option<XtMatch> {
    Some(XtMatch::Limit { average: blob.u32(0)?, burst: blob.u32(4)? })
}
