//! The blobs (INFO) of the xt matches and targets, as iptables 1.8.7 fills them. Integers are in the host's
//! byte order but for addresses. The kernel compares their length with its own structure, padded
//! to eight bytes, so every blob has a fixed length.

use std::ffi::CStr;
use std::net::IpAddr;

use crate::model::{AddressRange, COMMENT_MAX, IpVersion, Match, Ports, Protocol, Verdict};
use crate::netlink::rule::expression::XtMatch;
use crate::netlink::rule::header::address;

/// `addrtype` revision 1 (`struct xt_addrtype_info_v1`): u16 source, u16 destination, u32 flags.
const ADDRTYPE_LENGTH: usize = 8;
/// `1 << RTN_LOCAL`.
const ADDRTYPE_LOCAL: u16 = 4;
/// `conntrack` revision 3 (`struct xt_conntrack_mtinfo3`, 164 bytes).
const CONNTRACK_LENGTH: usize = 168;
/// u16: which conditions are set; `XT_CONNTRACK_STATE` is 1.
const CONNTRACK_MATCH_FLAGS: usize = 146;
/// u16: the states, `XT_CONNTRACK_STATE_BIT` of `IP_CT_NEW`, `IP_CT_ESTABLISHED` and `IP_CT_RELATED`.
const CONNTRACK_STATES: usize = 150;
const NEW: u16 = 8;
const ESTABLISHED_OR_RELATED: u16 = 2 | 4;
/// `comment` revision 0 (`struct xt_comment_info`).
const COMMENT_LENGTH: usize = COMMENT_MAX + 1;
/// `iprange` revision 1 (`struct xt_iprange_mtinfo`, 68 bytes): source from, to, destination
/// from, to of 16 bytes each, u8 flags.
const IPRANGE_LENGTH: usize = 72;
const IPRANGE_SOURCE: usize = 0;
const IPRANGE_DESTINATION: usize = 32;
const IPRANGE_FLAGS: usize = 64;
/// `connmark` revision 1 (`struct xt_connmark_mtinfo1`, 12 bytes): u32 mark, u32 mask, u8 invert.
const CONNMARK_LENGTH: usize = 16;
/// The target `CONNMARK` revision 2 (`struct xt_connmark_tginfo2`, 15 bytes): u32 bits to flip,
/// u32 bits to clear before, u32 mask of the packet's mark, u8 shift direction, u8 shift, u8 mode;
/// `XT_CONNMARK_SET` is 0.
const CONNMARK_TARGET_LENGTH: usize = 16;
const CONNMARK_TARGET_REVISION: u32 = 2;
/// `tcp` and `udp` revision 0 (`struct xt_tcp`, `struct xt_udp`, padded).
const PORTS_LENGTH: usize = 16;
/// `sctp` revision 0 (`struct xt_sctp_info`, 292 bytes).
const SCTP_LENGTH: usize = 296;
/// Four chunk flags, each with the chunk type -1: none.
const SCTP_CHUNK_FLAGS: usize = 268;
/// u32: which conditions are set; `XT_SCTP_DEST_PORTS` is 2.
const SCTP_FLAGS: usize = 284;

/// The match as iptables writes it.
pub fn encode(extension: &Match) -> XtMatch {
    let (name, revision, info) = match extension {
        Match::DestinationPorts(ports) => (ports_name(ports.protocol()), 0, encode_ports(ports)),
        Match::Range { source, destination } => (c"iprange", 1, encode_ranges(source, destination)),
        Match::DstTypeLocal => (c"addrtype", 1, encode_destination_local()),
        Match::CtStateNew => (c"conntrack", 3, encode_state_new()),
        Match::Connmark(mark) => (c"connmark", 1, encode_connection_mark(*mark)),
        Match::Comment(text) => (c"comment", 0, encode_comment(text)),
    };
    XtMatch { name, revision, info }
}

/// `-j CONNMARK --set-xmark BITS/BITS`, `-j CONNMARK --set-xmark 0x0/BITS`
pub fn encode_connmark_target(bits: u32, set: bool) -> XtMatch {
    let mut info = vec![0; CONNMARK_TARGET_LENGTH];
    let value = if set { bits } else { 0 };
    put(&mut info, 0, &[value, bits, u32::MAX].map(u32::to_ne_bytes).concat());
    XtMatch { name: c"CONNMARK", revision: CONNMARK_TARGET_REVISION, info }
}

/// The target of a blob, if it is of exactly the form that dwnl writes.
pub fn decode_target(name: &str, revision: u32, info: &[u8]) -> Option<Verdict> {
    let bits = u32::from_ne_bytes(info.get(4..8)?.try_into().ok()?);
    let set = info.first_chunk::<4>()? != &[0; 4];
    let exact = encode_connmark_target(bits, set);
    let is_exact = name == "CONNMARK" && exact.revision == revision && exact.info == info;
    is_exact.then_some(Verdict::Connmark { bits, set })
}

/// The match of a blob, if it is of exactly the form that [`encode`] gives.
pub fn decode(name: &str, revision: u32, info: &[u8], version: IpVersion) -> Option<Match> {
    let candidate = match name {
        "addrtype" => Match::DstTypeLocal,
        "conntrack" => Match::CtStateNew,
        "connmark" => decode_connection_mark(info)?,
        "comment" => decode_comment(info)?,
        "iprange" => decode_ranges(info, version)?,
        _ => decode_ports(name, info)?,
    };
    let exact = encode(&candidate);
    (exact.revision == revision && exact.info == info).then_some(candidate)
}

/// Whether the match is `-m conntrack --ctstate RELATED,ESTABLISHED` and nothing else.
pub fn is_ongoing(name: &str, revision: u32, info: &[u8]) -> bool {
    name == "conntrack" && revision == 3 && info == encode_states(ESTABLISHED_OR_RELATED)
}

/// `-m addrtype --dst-type LOCAL`
fn encode_destination_local() -> Vec<u8> {
    let mut info = vec![0; ADDRTYPE_LENGTH];
    put(&mut info, 2, &ADDRTYPE_LOCAL.to_ne_bytes());
    info
}

/// `-m conntrack --ctstate NEW`
fn encode_state_new() -> Vec<u8> {
    encode_states(NEW)
}

/// `-m conntrack --ctstate STATES`
fn encode_states(states: u16) -> Vec<u8> {
    let mut info = vec![0; CONNTRACK_LENGTH];
    put(&mut info, CONNTRACK_MATCH_FLAGS, &1u16.to_ne_bytes());
    put(&mut info, CONNTRACK_STATES, &states.to_ne_bytes());
    info
}

/// `-m connmark --mark MARK/MARK`
fn encode_connection_mark(mark: u32) -> Vec<u8> {
    let mut info = vec![0; CONNMARK_LENGTH];
    put(&mut info, 0, &[mark.to_ne_bytes(), mark.to_ne_bytes()].concat());
    info
}

fn decode_connection_mark(info: &[u8]) -> Option<Match> {
    let mark = info.first_chunk::<4>()?;
    Some(Match::Connmark(u32::from_ne_bytes(*mark)))
}

/// `-m comment --comment TEXT`
fn encode_comment(text: &str) -> Vec<u8> {
    let mut info = vec![0; COMMENT_LENGTH];
    let length = text.len().min(COMMENT_MAX);
    put(&mut info, 0, &text.as_bytes()[..length]);
    info
}

fn decode_comment(info: &[u8]) -> Option<Match> {
    let text = CStr::from_bytes_until_nul(info).ok()?.to_str().ok()?;
    Some(Match::Comment(text.into()))
}

/// `-m iprange --src-range A-B --dst-range C-D`
fn encode_ranges(source: &Option<AddressRange>, destination: &Option<AddressRange>) -> Vec<u8> {
    let mut info = vec![0; IPRANGE_LENGTH];
    let sides = [(source, IPRANGE_SOURCE, 1u8), (destination, IPRANGE_DESTINATION, 2)];
    for (range, offset, flag) in sides {
        if let Some(range) = range {
            put_address(&mut info, offset, range.first());
            put_address(&mut info, offset + 16, range.last());
            info[IPRANGE_FLAGS] |= flag;
        }
    }
    info
}

fn decode_ranges(info: &[u8], version: IpVersion) -> Option<Match> {
    let flags = *info.get(IPRANGE_FLAGS)?;
    let range = |flag: u8, offset: usize| -> Option<Option<AddressRange>> {
        if flags & flag == 0 {
            return Some(None);
        }
        let at = |offset| Some(address(version, info.get(offset..offset + 16)?));
        AddressRange::new(at(offset)?, at(offset + 16)?).ok().map(Some)
    };
    Some(Match::Range {
        source: range(1, IPRANGE_SOURCE)?,
        destination: range(2, IPRANGE_DESTINATION)?,
    })
}

/// `-m tcp --dport P`, `-m udp --dport P:Q`, `-m sctp --dport P`
fn encode_ports(ports: &Ports) -> Vec<u8> {
    let range = [ports.first().to_ne_bytes(), ports.last().to_ne_bytes()].concat();
    if ports.protocol() == Protocol::Sctp {
        let mut info = vec![0; SCTP_LENGTH];
        put(&mut info, 0, &range);
        put(&mut info, SCTP_CHUNK_FLAGS, &[0xff, 0, 0].repeat(4));
        put(&mut info, SCTP_FLAGS, &2u32.to_ne_bytes());
        return info;
    }
    let mut info = vec![0; PORTS_LENGTH];
    put(&mut info, 2, &u16::MAX.to_ne_bytes());
    put(&mut info, 4, &range);
    info
}

fn decode_ports(name: &str, info: &[u8]) -> Option<Match> {
    let protocol = Protocol::ALL.into_iter().find(|protocol| protocol.name() == name)?;
    let offset = if protocol == Protocol::Sctp { 0 } else { 4 };
    let port = |offset: usize| -> Option<u16> {
        Some(u16::from_ne_bytes(info.get(offset..offset + 2)?.try_into().ok()?))
    };
    Ports::new(protocol, port(offset)?, port(offset + 2)?).ok().map(Match::DestinationPorts)
}

fn ports_name(protocol: Protocol) -> &'static CStr {
    match protocol {
        Protocol::Tcp => c"tcp",
        Protocol::Udp => c"udp",
        Protocol::Sctp => c"sctp",
    }
}

fn put(info: &mut [u8], offset: usize, bytes: &[u8]) {
    info[offset..offset + bytes.len()].copy_from_slice(bytes);
}

fn put_address(info: &mut [u8], offset: usize, address: IpAddr) {
    match address {
        IpAddr::V4(address) => put(info, offset, &address.octets()),
        IpAddr::V6(address) => put(info, offset, &address.octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_blob_with_another_condition_is_not_decoded() {
        let mut xt = encode(&Match::CtStateNew);
        assert_eq!(decode("conntrack", 3, &xt.info, IpVersion::V4), Some(Match::CtStateNew));
        assert_eq!(decode("conntrack", 2, &xt.info, IpVersion::V4), None);
        xt.info[CONNTRACK_STATES] |= 2;
        assert_eq!(decode("conntrack", 3, &xt.info, IpVersion::V4), None);
    }

    proptest! {
        #[test]
        fn any_blob_is_read_without_panic(
            name in prop::sample::select(
                vec!["tcp", "udp", "sctp", "iprange", "addrtype", "conntrack", "connmark", "comment", "x"]),
            revision in 0u32..4,
            info in prop::collection::vec(any::<u8>(), 0..300),
            version in prop::sample::select(IpVersion::ALL.to_vec()),
        ) {
            let _ = decode(name, revision, &info, version);
            let _ = decode_target("CONNMARK", revision, &info);
        }
    }
}
