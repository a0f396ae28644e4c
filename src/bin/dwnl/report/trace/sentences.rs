//! The words of `trace`.

use std::fmt::Display;

use dwnl::model::{AddressSpec, Hook, TraceFilter, TraceVerdict};
use dwnl::trace::{Fate, TracedPacket};

/// The network that the packets come from, a host without its prefix length.
pub fn source(filter: &TraceFilter) -> String {
    let source = AddressSpec::network(filter.source());
    source.map_or_else(|_| filter.source().to_string(), |source| source.to_string())
}

/// The name of a transport protocol, or its number.
pub fn protocol(number: u8) -> String {
    match number {
        1 => "icmp",
        6 => "tcp",
        17 => "udp",
        58 => "icmpv6",
        132 => "sctp",
        _ => return format!("protocol {number}"),
    }
    .to_owned()
}

/// The flags of a TCP segment that are set: `SYN ACK`.
pub fn flags(bits: u8) -> String {
    const NAMES: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
    let is_set = |(bit, _): &(usize, &str)| bits & 1 << bit != 0;
    let set = NAMES.into_iter().enumerate().filter(is_set).map(|(_, name)| name);
    set.collect::<Vec<_>>().join(" ")
}

/// nft's word for a verdict.
pub fn verdict(verdict: &TraceVerdict) -> String {
    match verdict {
        TraceVerdict::Accept => "accept".to_owned(),
        TraceVerdict::Drop => "drop".to_owned(),
        TraceVerdict::Stolen => "stolen".to_owned(),
        TraceVerdict::Queue => "queue".to_owned(),
        TraceVerdict::Continue => "continue".to_owned(),
        TraceVerdict::Return => "return".to_owned(),
        TraceVerdict::Jump(chain) => format!("jump {chain}"),
        TraceVerdict::Goto(chain) => format!("goto {chain}"),
        TraceVerdict::Other(code) => format!("verdict {code}"),
    }
}

/// What became of a packet, in a sentence.
pub fn summary(packet: &TracedPacket) -> String {
    match &packet.fate {
        Fate::Dropped => "dropped".to_owned(),
        Fate::Rejected => "rejected".to_owned(),
        Fate::Delivered => {
            "passed all chains of input: delivered to a socket of this host, if one \
                            listens"
                .to_owned()
        }
        Fate::Sent { out_interface: Some(name) } => format!("sent out by {name}"),
        Fate::Sent { out_interface: None } => "sent out".to_owned(),
        Fate::Queued => "handed to a program (queue), which has not returned it".to_owned(),
        Fate::Stolen => "taken out of the path of packets by the kernel".to_owned(),
        Fate::Lost { passed } => lost(*passed, packet),
        _ => String::new(),
    }
}

/// A packet that no rule dropped, and that did not arrive either.
fn lost(passed: Option<Hook>, packet: &TracedPacket) -> String {
    let hook = packet.visits.last().and_then(|visit| visit.hook);
    match (passed, hook) {
        (Some(Hook::Prerouting), Some(Hook::Prerouting) | None) => {
            "lost after prerouting, not by a rule of nf_tables: no route, forwarding off (ip_forward), \
             reverse path filter (rp_filter) or TTL"
        }
        (Some(Hook::Forward), Some(Hook::Forward) | None) => {
            "lost after forward, not by a rule of nf_tables: too large for the next link, or no \
             neighbour"
        }
        _ => {
            "lost between two chains, not by a rule of nf_tables: conntrack table full, \
             iptables-legacy or another module of the kernel"
        }
    }
    .to_owned()
}

/// The end of a trace without a packet.
pub fn nothing(filter: &TraceFilter, elapsed: &impl Display) -> String {
    let ports = filter.ports().map(|ports| format!(" to {ports}")).unwrap_or_default();
    format!(
        "no packet from {}{ports} came in within {elapsed}.\n\
         It was lost on its way, has another source here (NAT), or was dropped before\n\
         prerouting (ingress, XDP, the network card).\n",
        source(filter)
    )
}
