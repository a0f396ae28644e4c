//! The statements of nft's rules, in nft's words.

use std::fmt;

use super::set_update::Time;
use super::{ADMITTED_LABEL, FlowLimits, SetUpdate};
use crate::model::{LogTarget, Name};

/// What a rule of nft does with a packet that meets its conditions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NftStatement {
    /// `accept`: on to the chains of other tables.
    Accept,
    /// `LIMITS ct label set 13 accept`: accepts a flow within these limits and labels it with
    /// [`ADMITTED_LABEL`]; without effect on any other.
    AcceptWithin(FlowLimits),
    /// `drop`.
    Drop,
    /// `return`: on in the chain that jumped here; at the end of a base chain, as its policy says.
    Return,
    /// `reject with tcp reset`, in a rule for TCP alone: answers as a closed port does.
    RejectWithReset,
    /// `jump CHAIN`: on in that chain, and back here at its end.
    Jump(Name),
    /// `goto CHAIN`: on in that chain, never back here.
    Goto(Name),
    /// `ct original proto-dst vmap @MAP`: goes to the chain that the map has for the port that the flow was
    /// opened to, never back here; on with the next rule if there is none. In a rule for one protocol.
    OriginalPortMap(Name),
    /// `ct mark set ct mark | BITS`: sets these bits of the connection mark and continues with the
    /// next rule. For the kernel, setting no bits is the same as clearing none.
    SetCtMark(u32),
    /// `ct mark set ct mark & ~BITS`: clears these bits of the connection mark and continues with
    /// the next rule.
    ClearCtMark(u32),
    /// `update @SET { tcp dport timeout 1h }`: puts a key into the set, or keeps it there for as long
    /// again, and continues with the next rule. If the set is full, that is all it does.
    UpdateSet(SetUpdate),
    /// `limit rate 10/second burst 20 packets log prefix "PREFIX" level info` or `… group 5`: logs some
    /// of the packets, and continues with the next rule.
    Log {
        /// Where to.
        target: LogTarget,
        /// What a line begins with: at most 127 bytes without `"` and NUL.
        prefix: Name,
    },
}

impl NftStatement {
    /// Maximum number of packets that a rule logs per second, on average.
    pub const LOG_RATE: u64 = 10;
    /// Maximum number of packets that a rule logs at once.
    pub const LOG_BURST: u32 = 20;
}

impl NftStatement {
    /// The chain that the packet is sent to, if any.
    pub fn target(&self) -> Option<&Name> {
        match self {
            NftStatement::Jump(chain) | NftStatement::Goto(chain) => Some(chain),
            NftStatement::Accept
            | NftStatement::OriginalPortMap(_)
            | NftStatement::AcceptWithin(_)
            | NftStatement::Drop
            | NftStatement::Return
            | NftStatement::RejectWithReset
            | NftStatement::SetCtMark(_)
            | NftStatement::ClearCtMark(_)
            | NftStatement::UpdateSet(_)
            | NftStatement::Log { .. } => None,
        }
    }

    /// The sets that it updates, or the map that it looks up.
    pub fn sets(&self) -> impl Iterator<Item = &Name> {
        let (update, limits) = match self {
            NftStatement::UpdateSet(update) => (Some(&update.set), None),
            NftStatement::OriginalPortMap(map) => (Some(map), None),
            NftStatement::AcceptWithin(limits) => (None, Some(limits.sets())),
            NftStatement::Accept
            | NftStatement::Drop
            | NftStatement::Return
            | NftStatement::RejectWithReset
            | NftStatement::Jump(_)
            | NftStatement::Goto(_)
            | NftStatement::SetCtMark(_)
            | NftStatement::ClearCtMark(_)
            | NftStatement::Log { .. } => (None, None),
        };
        update.into_iter().chain(limits.into_iter().flatten())
    }
}

impl fmt::Display for NftStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NftStatement::Accept => write!(f, "accept"),
            NftStatement::AcceptWithin(limits) => {
                write!(f, "{limits}ct label set {ADMITTED_LABEL} accept")
            }
            NftStatement::Drop => write!(f, "drop"),
            NftStatement::Return => write!(f, "return"),
            NftStatement::RejectWithReset => write!(f, "reject with tcp reset"),
            NftStatement::Jump(chain) => write!(f, "jump {chain}"),
            NftStatement::Goto(chain) => write!(f, "goto {chain}"),
            NftStatement::OriginalPortMap(map) => write!(f, "ct original proto-dst vmap @{map}"),
            NftStatement::SetCtMark(bits) => write!(f, "ct mark set ct mark | {bits:#010x}"),
            NftStatement::ClearCtMark(bits) => write!(f, "ct mark set ct mark & {:#010x}", !bits),
            NftStatement::UpdateSet(SetUpdate { set, key, timeout }) => {
                let counter = if key.is_counted() { " counter" } else { "" };
                write!(f, "update @{set} {{ {key} timeout {}{counter} }}", Time(timeout.get()))
            }
            NftStatement::Log { target, prefix } => {
                let (rate, burst) = (NftStatement::LOG_RATE, NftStatement::LOG_BURST);
                write!(
                    f,
                    "limit rate {rate}/second burst {burst} packets log prefix \"{prefix}\" "
                )?;
                match target {
                    LogTarget::Kernel => write!(f, "level info"),
                    LogTarget::Nflog(group) => write!(f, "group {group}"),
                }
            }
        }
    }
}
