//! The expressions of a rule, in the order in which the kernel evaluates them. Most of them pass a
//! value on to the next one in a register.

use std::sync::Arc;

use super::key::{CtKey, MetaKey};
use super::set::KernelSet;
use super::verdict::RuleVerdict;
use super::xt_match::XtMatch;
use super::xt_target::XtTarget;
use crate::model::{IpVersion, Name};

/// Where a value begins in the registers, in words of four bytes; there are sixteen words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Register(pub u8);

/// An expression of a rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RulePart {
    /// Loads something about the packet.
    Load { to: Register, what: Load },
    /// Loads a constant.
    Immediate { to: Register, value: Box<[u8]> },
    /// Computes with a value.
    Compute { from: Register, to: Register, length: usize, operation: Arithmetic },
    /// Goes on only if the comparison holds.
    Compare { from: Register, comparison: Comparison, value: Box<[u8]> },
    /// Goes on only if the value is in the range, or with `negated` if it is not.
    Range { from: Register, negated: bool, first: Box<[u8]>, last: Box<[u8]> },
    /// Goes on only if the key is in the set, or with `negated` if it is not. A map also yields the
    /// value of the key, a verdict map a verdict.
    Lookup(Lookup),
    /// What happens to the packet, or where it goes on.
    Verdict(RuleVerdict),
    /// Sets something of the packet or the flow.
    Store { from: Register, what: Store },
    /// Translates the flow's destination or source.
    Nat { target: NatTarget, operands: NatOperands },
    /// Rejects the packet: `NFT_REJECT_*` and the code.
    Reject { kind: u32, code: u8 },
    /// Leaves the packet without conntrack.
    Notrack,
    /// Adds, updates or deletes an element of a set.
    Update(Update),
    /// Counts, logs or limits.
    Stateful(Stateful),
    /// A match of xtables.
    Match(XtMatch),
    /// A target of xtables.
    Target(XtTarget),
    /// Any other, by its name.
    Other(Name),
}

/// What a rule can load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// `meta KEY`.
    Meta(MetaKey),
    /// Bytes of a header.
    Payload { base: PayloadBase, offset: u32, length: u32 },
    /// `ct KEY`, of a direction if one is given.
    Ct(CtKey, Option<FlowDirection>),
    /// `fib`: `NFT_FIB_RESULT_*` and `NFTA_FIB_F_*`.
    Fib { result: u32, flags: u32 },
    /// `socket KEY`: `NFT_SOCKET_*`; of a cgroup, the level of the ancestor.
    Socket { key: u32, level: u32 },
}

/// A header of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PayloadBase {
    Link,
    Network,
    Transport,
    Inner,
}

/// A direction of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowDirection {
    Original,
    Reply,
}

/// A computation on a register.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Arithmetic {
    /// `VALUE & mask ^ xor`.
    Mask { mask: Box<[u8]>, xor: Box<[u8]> },
    /// `VALUE << bits`.
    ShiftLeft(u32),
    /// `VALUE >> bits`.
    ShiftRight(u32),
    /// Swaps the bytes of each number of `size` bytes, where the host's order is not the network's.
    ByteOrder { size: usize },
}

/// How a register is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A lookup in a set or map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lookup {
    /// The set, in the rule's own table.
    pub set: Name,
    /// Its content, if it is part of the rule.
    pub content: Option<Arc<KernelSet>>,
    /// The key.
    pub from: Register,
    /// Where the value of a map goes; `None` for a set, and for a verdict map.
    pub to: Option<Register>,
    /// Whether the verdict of a verdict map is followed.
    pub to_verdict: bool,
    /// Whether the key must not be in the set.
    pub negated: bool,
}

/// What a rule can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Meta(MetaKey),
    Ct(CtKey),
    Payload { base: PayloadBase, offset: u32, length: u32 },
}

/// Which kind of translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NatTarget {
    Destination,
    Source,
    Masquerade,
    Redirect,
}

/// The registers that hold what a flow is translated to, and `NF_NAT_RANGE_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NatOperands {
    /// The version of the addresses: `NFPROTO_IPV4` or `NFPROTO_IPV6`; 0 if there are none.
    pub family: u8,
    pub address_first: Option<Register>,
    pub address_last: Option<Register>,
    pub port_first: Option<Register>,
    pub port_last: Option<Register>,
    pub flags: u32,
}

impl NatOperands {
    /// Whether flows of this version of IP are translated.
    pub fn is_for(&self, version: IpVersion) -> bool {
        match i32::from(self.family) {
            libc::NFPROTO_IPV4 => version == IpVersion::V4,
            libc::NFPROTO_IPV6 => version == IpVersion::V6,
            _ => true,
        }
    }
}

/// A change of a set by a rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Update {
    /// The set.
    pub set: Name,
    /// The key.
    pub from: Register,
    /// What it does: `NFT_DYNSET_OP_*`.
    pub operation: u32,
    /// The timeout in milliseconds, 0 for none.
    pub timeout: u64,
    /// Whether it goes on only if the key was not in the set.
    pub negated: bool,
    /// The names of the expressions that each element carries.
    pub expressions: Vec<RulePart>,
    /// Whether the set is a map.
    pub is_map: bool,
}

/// Expressions with a state or an effect outside the ruleset.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stateful {
    /// Goes on unless there are more than this number of flows, or with `inverted` only then.
    Connlimit {
        count: u32,
        inverted: bool,
    },
    Counter,
    Log {
        prefix: Option<Name>,
        group: Option<u16>,
        level: Option<u32>,
        flags: u32,
        snaplen: Option<u32>,
        threshold: Option<u16>,
    },
    Limit {
        rate: u64,
        unit: u64,
        burst: u32,
        is_bytes: bool,
        inverted: bool,
    },
}
