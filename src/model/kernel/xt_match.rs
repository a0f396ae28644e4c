//! The matches of xtables that dwnl reads.

use ipnetwork::IpNetwork;

use crate::model::{AddressRange, Name, Protocol};

/// A match of xtables: `-m NAME …`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum XtMatch {
    /// `-m addrtype`: sets of `1 << RTN_*`, 0 for any.
    AddressType { source: Tested<u16>, destination: Tested<u16>, limit_in: bool, limit_out: bool },
    /// `-m comment --comment TEXT`.
    Comment(Name),
    /// `-m conntrack`.
    Conntrack(Box<ConntrackMatch>),
    /// `-m state --state STATES`: `XT_CONNTRACK_STATE_*`.
    State(u32),
    /// `-m tcp`, `-m udp`, `-m sctp`.
    Ports(PortMatch),
    /// `-m multiport`.
    Multiport { source: bool, destination: bool, ports: Tested<Vec<(u16, u16)>> },
    /// `-m mark --mark VALUE/MASK`.
    Mark(MaskMatch),
    /// `-m connmark --mark VALUE/MASK`.
    Connmark(MaskMatch),
    /// `-m iprange`.
    Range { source: Option<Tested<AddressRange>>, destination: Option<Tested<AddressRange>> },
    /// `-m icmp --icmp-type TYPE/CODES`, `-m icmp6 --icmpv6-type TYPE/CODES`.
    Icmp { v6: bool, kind: Tested<(u8, u8, u8)> },
    /// `-m limit`: the average in units of 0.1 ms per packet, and the burst.
    Limit { average: u32, burst: u32 },
    /// Any other, by its name.
    Other(Name),
}

/// A value, and whether the test is inverted (`!`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tested<T> {
    pub value: T,
    pub negated: bool,
}

/// Bits of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MaskMatch {
    pub mark: u32,
    pub mask: u32,
    pub negated: bool,
}

/// `-m tcp --sport … --dport … --tcp-flags …`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PortMatch {
    pub protocol: Protocol,
    pub source: Tested<(u16, u16)>,
    pub destination: Tested<(u16, u16)>,
    /// Of TCP: which flags are looked at, and those that have to be set.
    pub flags: Tested<(u8, u8)>,
    /// Of TCP: the option that has to be there; 0 for any.
    pub option: Tested<u8>,
    /// Of SCTP: whether chunks are tested, which dwnl does not read.
    pub chunks: bool,
}

/// `-m conntrack`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ConntrackMatch {
    /// `XT_CONNTRACK_STATE_*`.
    pub states: Option<Tested<u16>>,
    /// Whether it was written as `-m state --state`.
    pub is_state_alias: bool,
    /// `IPS_*`.
    pub status: Option<Tested<u16>>,
    pub protocol: Option<Tested<u16>>,
    pub original_source: Option<Tested<IpNetwork>>,
    pub original_destination: Option<Tested<IpNetwork>>,
    pub reply_source: Option<Tested<IpNetwork>>,
    pub reply_destination: Option<Tested<IpNetwork>>,
    pub original_source_port: Option<Tested<(u16, u16)>>,
    pub original_destination_port: Option<Tested<(u16, u16)>>,
    pub reply_source_port: Option<Tested<(u16, u16)>>,
    pub reply_destination_port: Option<Tested<(u16, u16)>>,
    /// Whether the packet has to be of the original direction (`--ctdir ORIGINAL`), or the reply's.
    pub is_original: Option<bool>,
    /// In seconds from now.
    pub expires: Option<Tested<(u32, u32)>>,
}
