//! Whether the packet meets a match of xtables.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::bits::{Answer, Bits};
use super::host::{ANYCAST, HostView, LOCAL, MULTICAST, UNICAST, UNREACHABLE, UNSPECIFIED};
use super::load::ends;
use super::packet::{DST_NAT, Packet, SRC_NAT, Tracking};
use crate::model::kernel::{
    Comparison, ConntrackMatch, FlowDirection, MaskMatch, PortMatch, Tested, XtMatch,
};
use crate::model::{AddressRange, Protocol};

/// `XT_CONNTRACK_STATE_*`.
const STATE_INVALID: u32 = 1;
const STATE_NEW: u32 = 8;
const STATE_SNAT: u32 = 1 << 6;
const STATE_DNAT: u32 = 1 << 7;
const STATE_UNTRACKED: u32 = 1 << 8;

/// Whether the packet meets the match.
pub fn matches(extension: &XtMatch, packet: &Packet, host: &HostView) -> Answer {
    match extension {
        XtMatch::AddressType { source, destination, limit_in, limit_out } => {
            let interface = match (limit_in, limit_out) {
                (true, _) => packet.in_interface.as_deref(),
                (_, true) => packet.out_interface.as_deref(),
                _ => None,
            };
            let is = |types: &Tested<u16>, address: IpAddr| {
                types.value == 0
                    || is_of_type(types.value, address, interface, host) != types.negated
            };
            (is(source, packet.ends.source) && is(destination, packet.ends.destination)).into()
        }
        XtMatch::Comment(_) => Answer::Yes,
        XtMatch::Conntrack(conditions) => conntrack(conditions, packet),
        XtMatch::State(states) => state(*states, packet),
        XtMatch::Ports(conditions) => ports(conditions, packet),
        XtMatch::Multiport { source, destination, ports } => {
            let mut answer = Answer::No;
            for (range, port) in
                [(*source, packet.ends.source_port), (*destination, Some(packet.ends.port))]
            {
                if range {
                    answer = answer.or(is_listed(&ports.value, port));
                }
            }
            answer.negate_if(ports.negated)
        }
        XtMatch::Mark(mark) => is_marked(mark, &packet.mark),
        XtMatch::Connmark(mark) => match packet.tracking {
            Tracking::New => is_marked(mark, &packet.ct_mark),
            Tracking::Before | Tracking::Untracked => Answer::No,
            Tracking::Unsure => Answer::Maybe,
        },
        XtMatch::Range { source, destination } => is_in_range(source.as_ref(), packet.ends.source)
            .and(is_in_range(destination.as_ref(), packet.ends.destination)),
        // The packet is never one of ICMP.
        XtMatch::Icmp { .. } => Answer::No,
        XtMatch::Limit { .. } | XtMatch::Other(_) => Answer::Maybe,
    }
}

/// Whether an address is of one of these types, `1 << RTN_*`. Of an IPv6 address, every one that is not
/// multicast is unicast too, and several types have to apply (`match_type6` of
/// `net/netfilter/xt_addrtype.c`).
fn is_of_type(types: u16, address: IpAddr, interface: Option<&str>, host: &HostView) -> bool {
    const LOOKED_UP: u16 = 1 << LOCAL | 1 << ANYCAST | 1 << UNREACHABLE;
    let bit = 1u16 << host.address_type(address, interface);
    if address.is_ipv4() {
        return types & bit != 0;
    }
    let has = |kind: u8| types & 1 << kind != 0;
    let is_possible = (!has(MULTICAST) || address.is_multicast())
        && (!has(UNICAST) || !address.is_multicast() && !address.is_unspecified())
        && (!has(UNSPECIFIED) || address.is_unspecified());
    is_possible && (types & LOOKED_UP == 0 || types & bit != 0)
}

fn state(states: u32, packet: &Packet) -> Answer {
    match packet.tracking {
        Tracking::Unsure => Answer::Maybe,
        tracking => (states & state_bit(tracking) != 0).into(),
    }
}

fn state_bit(tracking: Tracking) -> u32 {
    match tracking {
        Tracking::New => STATE_NEW,
        Tracking::Untracked => STATE_UNTRACKED,
        Tracking::Before | Tracking::Unsure => STATE_INVALID,
    }
}

/// `conntrack_mt` of `net/netfilter/xt_conntrack.c`.
fn conntrack(wanted: &ConntrackMatch, packet: &Packet) -> Answer {
    if packet.tracking == Tracking::Unsure {
        return Answer::Maybe;
    }
    let is_tracked = packet.tracking == Tracking::New;
    if let Some(states) = &wanted.states {
        let mut bit = state_bit(packet.tracking);
        if is_tracked {
            bit |= if packet.ct_status & DST_NAT != 0 { STATE_DNAT } else { 0 };
            bit |= if packet.ct_status & SRC_NAT != 0 { STATE_SNAT } else { 0 };
        }
        if (u32::from(states.value) & bit != 0) == states.negated {
            return Answer::No;
        }
    }
    if !is_tracked {
        return wanted.states.is_some().into();
    }
    let status = wanted
        .status
        .as_ref()
        .is_none_or(|status| (u32::from(status.value) & packet.ct_status != 0) != status.negated);
    let protocol = wanted.protocol.as_ref().is_none_or(|protocol| {
        (protocol.value == u16::from(packet.protocol.number())) != protocol.negated
    });
    let certain =
        status && protocol && wanted.is_original != Some(false) && addresses(wanted, packet);
    let expires = if wanted.expires.is_some() { Answer::Maybe } else { Answer::Yes };
    Answer::from(certain).and(conntrack_ports(wanted, packet)).and(expires)
}

fn addresses(wanted: &ConntrackMatch, packet: &Packet) -> bool {
    let (original, reply) = (&packet.original, ends(packet, FlowDirection::Reply));
    [
        (&wanted.original_source, original.source),
        (&wanted.original_destination, original.destination),
        (&wanted.reply_source, reply.source),
        (&wanted.reply_destination, reply.destination),
    ]
    .into_iter()
    .all(|(wanted, address)| is_in_network(wanted.as_ref(), address))
}

fn conntrack_ports(wanted: &ConntrackMatch, packet: &Packet) -> Answer {
    let (original, reply) = (&packet.original, ends(packet, FlowDirection::Reply));
    let is = |wanted: &Option<Tested<(u16, u16)>>, port: Option<u16>| {
        wanted.as_ref().map_or(Answer::Yes, |wanted| is_in_ports(wanted, port))
    };
    is(&wanted.original_source_port, original.source_port)
        .and(is(&wanted.original_destination_port, Some(original.port)))
        .and(is(&wanted.reply_source_port, reply.source_port))
        .and(is(&wanted.reply_destination_port, original.source_port))
}

fn is_in_network(wanted: Option<&Tested<IpNetwork>>, address: IpAddr) -> bool {
    wanted.is_none_or(|wanted| wanted.value.contains(address) != wanted.negated)
}

fn is_in_range(wanted: Option<&Tested<AddressRange>>, address: IpAddr) -> Answer {
    let Some(Tested { value, negated }) = wanted else { return Answer::Yes };
    ((value.first()..=value.last()).contains(&address) != *negated).into()
}

fn ports(wanted: &PortMatch, packet: &Packet) -> Answer {
    if wanted.protocol != packet.protocol {
        return Answer::No;
    }
    let source = is_in_ports(&wanted.source, packet.ends.source_port);
    let destination = is_in_ports(&wanted.destination, Some(packet.ends.port));
    let others = match wanted.protocol {
        Protocol::Tcp => is_flagged(wanted, packet).and(has_option(wanted)),
        Protocol::Sctp if wanted.chunks => Answer::Maybe,
        Protocol::Udp | Protocol::Sctp => Answer::Yes,
    };
    source.and(destination).and(others)
}

/// `--tcp-flags MASK FLAGS`.
fn is_flagged(wanted: &PortMatch, packet: &Packet) -> Answer {
    const FLAGS: usize = 13;
    let (mask, flags) = wanted.flags.value;
    let base = crate::model::kernel::PayloadBase::Transport;
    let masked = packet.payload(base, FLAGS, 1).mask(&[mask], &[0]);
    masked.compare(Comparison::Equal, &[flags]).negate_if(wanted.flags.negated)
}

fn has_option(wanted: &PortMatch) -> Answer {
    if wanted.option.value == 0 { Answer::Yes } else { Answer::Maybe }
}

fn is_listed(ranges: &[(u16, u16)], port: Option<u16>) -> Answer {
    let is_in = |range: &(u16, u16)| is_in_ports(&Tested { value: *range, negated: false }, port);
    ranges.iter().map(is_in).fold(Answer::No, Answer::or)
}

fn is_in_ports(wanted: &Tested<(u16, u16)>, port: Option<u16>) -> Answer {
    let (first, last) = wanted.value;
    let answer = match port {
        _ if (first, last) == (0, u16::MAX) => Answer::Yes,
        None => Answer::Maybe,
        Some(port) => (first..=last).contains(&port).into(),
    };
    answer.negate_if(wanted.negated)
}

fn is_marked(wanted: &MaskMatch, mark: &Bits) -> Answer {
    let masked = mark.mask(&wanted.mask.to_ne_bytes(), &[0; 4]);
    masked.compare(Comparison::Equal, &wanted.mark.to_ne_bytes()).negate_if(wanted.negated)
}
