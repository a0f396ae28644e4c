//! The targets of xtables that dwnl reads.

use std::net::IpAddr;

use crate::model::Name;

/// A target of xtables: `-j NAME …`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum XtTarget {
    /// `-j DNAT`.
    Dnat(Translation),
    /// `-j SNAT`.
    Snat(Translation),
    /// `-j MASQUERADE`.
    Masquerade(Translation),
    /// `-j REDIRECT`.
    Redirect(Translation),
    /// `-j MARK`: `MARK & ~mask ^ value`.
    Mark { value: u32, mask: u32 },
    /// `-j CONNMARK`.
    Connmark { value: u32, mask: u32, packet_mask: u32, mode: ConnmarkMode },
    /// `-j LOG`.
    Log { level: u8, flags: u8, prefix: Name },
    /// `-j NFLOG`.
    Nflog { group: u16, threshold: u16, size: Option<u32>, prefix: Name },
    /// `-j TCPMSS`; `None` for `--clamp-mss-to-pmtu`.
    TcpMss(Option<u16>),
    /// `-j REJECT`: `IPT_*` of `struct ipt_reject_info`, or `IP6T_*`.
    Reject { v6: bool, with: u32 },
    /// `-j CT`, or `-j NOTRACK` as an alias of it.
    Ct { flags: u16, zone: u16, helper: Name },
    /// `-j NOTRACK`.
    Notrack,
    /// `-j TRACE`.
    Trace,
    /// Any other, by its name.
    Other(Name),
}

/// What a flow is translated to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Translation {
    /// The first and last address.
    pub addresses: Option<(IpAddr, IpAddr)>,
    /// The first and last port.
    pub ports: Option<(u16, u16)>,
    /// `NF_NAT_RANGE_*`.
    pub flags: u32,
}

/// What `-j CONNMARK` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnmarkMode {
    /// Sets bits of the connection mark.
    Set,
    /// Copies the packet's mark to the connection mark.
    Save,
    /// Copies the connection mark to the packet's mark.
    Restore,
    /// Any other, such as one with a shift.
    Other,
}
