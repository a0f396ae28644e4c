//! The expressions that a rule is made of: all that dwnl can read, and in `write`, `update_set` and
//! `labels` those that the crate `nftnl` cannot write.

mod labels;
mod read;
mod trace;
mod update_set;
mod write;

use std::borrow::Cow;
use std::fmt;

pub use labels::{CtDirection, CtLabels, SetCtLabels};
pub use trace::SetNftrace;
pub use update_set::{ElementState, Limit, UpdateSet};
pub use write::{
    Counter, CtOriginal, FibDaddrType, HostToNetwork, Load, Log, Lookup, MetaKey, NegatedLookup,
    SocketKey, VerdictLookup, XtMatch, XtTarget, destination_port,
};

/// An expression of a dumped rule. One of an unknown kind, or that works with another register, is
/// `Other`.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression<'a> {
    /// Loads something about the packet: `NFT_META_*`.
    Meta(u32),
    /// Loads bytes of a header.
    Payload {
        /// `NFT_PAYLOAD_*`: 1 is the network header.
        base: u32,
        /// In bytes from its beginning.
        offset: u32,
        /// In bytes.
        length: u32,
    },
    /// Masks the register, then flips bits of it.
    Bitwise {
        /// The bits that are kept.
        mask: &'a [u8],
        /// The bits that are flipped.
        xor: &'a [u8],
    },
    /// Compares the register.
    Compare {
        /// `NFT_CMP_*`: 0 is equal, 1 not equal.
        operation: u32,
        /// With these bytes.
        data: &'a [u8],
    },
    /// Whether the register is in a range, as iptables since 1.8.8 and nft write it.
    Range {
        /// From these bytes.
        from: &'a [u8],
        /// To these.
        to: &'a [u8],
    },
    /// An xt match.
    Match {
        /// Its name.
        name: Cow<'a, str>,
        /// Its revision.
        revision: u32,
        /// Its blob.
        info: &'a [u8],
    },
    /// Counts.
    Counter {
        /// Packets so far.
        packets: u64,
        /// Bytes so far.
        bytes: u64,
    },
    /// Loads the type of the address that the packet is for.
    FibDaddrType,
    /// Looks the register up in a set.
    Lookup(Cow<'a, str>),
    /// Looks the register up in a map of verdicts.
    VerdictLookup(Cow<'a, str>),
    /// Looks the register up in a set, and goes on if it is not there.
    NegatedLookup(Cow<'a, str>),
    /// Turns eight bytes of the register from the host's order into the network's.
    HostToNetwork,
    /// Adds the register to a set, or restarts its timeout there.
    UpdateSet {
        /// The set.
        set: Cow<'a, str>,
        /// The timeout in milliseconds.
        timeout: u64,
    },
    /// Loads or sets something about the connection: `NFT_CT_*`.
    Ct {
        /// What.
        key: u32,
        /// Whether it is set.
        set: bool,
    },
    /// Loads something about the local socket that the packet is for: `NFT_SOCKET_*`.
    Socket {
        /// What.
        key: u32,
        /// Of a cgroup, the level of the ancestor; else 0.
        level: u32,
    },
    /// Loads something about the first packet of the connection: `NFT_CT_*`.
    CtOriginal(u32),
    /// Loads something into a register behind the first one: a further field of a concatenation.
    Field {
        /// `NFT_REG_*`.
        register: u32,
        /// What.
        field: Field,
    },
    /// Adds the registers from the first one on to a set, or restarts their timeout there, and counts
    /// the packets of each key.
    CountInSet {
        /// The set.
        set: Cow<'a, str>,
        /// The timeout in milliseconds.
        timeout: u64,
    },
    /// The same with a rate for each key, which ends the rule for packets above it.
    LimitInSet {
        /// The set.
        set: Cow<'a, str>,
        /// The timeout in milliseconds.
        timeout: u64,
        /// The rate.
        limit: Limit,
    },
    /// Adds the register to a set without a timeout, and ends the rule for a flow of a key that has
    /// as many open flows.
    ConnectionsInSet {
        /// The set.
        set: Cow<'a, str>,
        /// The number of flows.
        count: u32,
    },
    /// Ends the rule for packets above a rate.
    Limit(Limit),
    /// Puts constant bytes into the register.
    Constant(&'a [u8]),
    /// Logs the packet to the kernel's log.
    LogToKernel {
        /// What the line begins with.
        prefix: Cow<'a, str>,
        /// `LOGLEVEL_*`.
        level: u32,
    },
    /// Logs the packet to a group of NFLOG.
    LogToGroup {
        /// What the message begins with.
        prefix: Cow<'a, str>,
        /// The group.
        group: u16,
    },
    /// An xt target.
    Target {
        /// Its name.
        name: Cow<'a, str>,
        /// Its revision.
        revision: u32,
        /// Its blob.
        info: &'a [u8],
    },
    /// Ends the rule, and resets the TCP connection.
    RejectWithReset,
    /// Ends the rule.
    Verdict(VerdictCode<'a>),
    /// Any other, by its name.
    Other(Cow<'a, str>),
}

/// A field of a concatenation behind the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Something about the packet: `NFT_META_*`.
    Meta(u32),
    /// Something about the first packet of the connection: `NFT_CT_*`.
    CtOriginal(u32),
    /// The packet's own destination port.
    Port,
}

/// A verdict as it was read.
#[derive(Clone, Debug, PartialEq)]
pub enum VerdictCode<'a> {
    /// `NF_DROP`.
    Drop,
    /// `NF_ACCEPT`.
    Accept,
    /// `NFT_RETURN`.
    Return,
    /// `NFT_JUMP`.
    Jump(Cow<'a, str>),
    /// `NFT_GOTO`.
    Goto(Cow<'a, str>),
}

/// Close to the words of `nft --debug=netlink`.
impl fmt::Display for Expression<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expression::Meta(key) => write!(f, "[meta {key}]"),
            Expression::RejectWithReset => write!(f, "[reject type 1 code 0]"),
            Expression::Payload { base, offset, length } => {
                write!(f, "[payload {length}b @ header {base} + {offset}]")
            }
            Expression::Bitwise { mask, xor } => {
                write!(f, "[bitwise & 0x{} ^ 0x{}]", Hex(mask), Hex(xor))
            }
            Expression::FibDaddrType => write!(f, "[fib daddr type]"),
            Expression::Lookup(set) => write!(f, "[lookup @{set}]"),
            Expression::VerdictLookup(map) => write!(f, "[lookup @{map} dreg verdict]"),
            Expression::NegatedLookup(set) => write!(f, "[lookup != @{set}]"),
            Expression::HostToNetwork => write!(f, "[byteorder hton 8 8]"),
            Expression::UpdateSet { set, timeout } => {
                write!(f, "[dynset update @{set} timeout {timeout}ms]")
            }
            Expression::CountInSet { set, timeout } => {
                write!(f, "[dynset update @{set} timeout {timeout}ms counter]")
            }
            Expression::Field { register, field: Field::Meta(key) } => {
                write!(f, "[meta {key} => {register}]")
            }
            Expression::Field { register, field: Field::CtOriginal(key) } => {
                write!(f, "[ct original {key} => {register}]")
            }
            Expression::Field { register, field: Field::Port } => {
                write!(f, "[payload 2b @ header 2 + 2 => {register}]")
            }
            Expression::LimitInSet { set, timeout, limit } => {
                write!(f, "[dynset update @{set} timeout {timeout}ms {limit}]")
            }
            Expression::ConnectionsInSet { set, count } => {
                write!(f, "[dynset add @{set} connlimit count {count}]")
            }
            Expression::Limit(limit) => write!(f, "[{limit}]"),
            Expression::Constant(data) => write!(f, "[immediate 0x{}]", Hex(data)),
            Expression::LogToKernel { prefix, level } => {
                write!(f, "[log prefix {prefix:?} level {level}]")
            }
            Expression::LogToGroup { prefix, group } => {
                write!(f, "[log prefix {prefix:?} group {group}]")
            }
            Expression::Ct { key, set: false } => write!(f, "[ct {key}]"),
            Expression::Ct { key, set: true } => write!(f, "[ct {key} set]"),
            Expression::Compare { operation, data } => {
                let operation = ["eq", "neq", "lt", "lte", "gt", "gte"]
                    .get(*operation as usize)
                    .copied()
                    .unwrap_or("?");
                write!(f, "[cmp {operation} 0x{}]", Hex(data))
            }
            Expression::Socket { key, level } => write!(f, "[socket {key} level {level}]"),
            Expression::CtOriginal(key) => write!(f, "[ct original {key}]"),
            Expression::Range { from, to } => write!(f, "[range 0x{} 0x{}]", Hex(from), Hex(to)),
            Expression::Match { name, revision, .. } => write!(f, "[match {name} rev {revision}]"),
            Expression::Target { name, .. } => write!(f, "[target {name}]"),
            Expression::Counter { .. } => write!(f, "[counter]"),
            Expression::Verdict(VerdictCode::Drop) => write!(f, "[drop]"),
            Expression::Verdict(VerdictCode::Accept) => write!(f, "[accept]"),
            Expression::Verdict(VerdictCode::Return) => write!(f, "[return]"),
            Expression::Verdict(VerdictCode::Jump(chain)) => write!(f, "[jump {chain}]"),
            Expression::Verdict(VerdictCode::Goto(chain)) => write!(f, "[goto {chain}]"),
            Expression::Other(name) => write!(f, "[{name}]"),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limit { rate, unit, burst } = self;
        write!(f, "limit rate {rate}/{unit}s burst {burst}")
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
