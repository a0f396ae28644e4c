//! The statements of nft's rules, in nft's words.

use std::fmt;
use std::num::NonZeroU32;

use crate::model::{Family, IpVersion, LogTarget, Name, Protocol};

/// What a rule of nft does with a packet that meets its conditions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NftStatement {
    /// `accept`: on to the chains of other tables.
    Accept,
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

/// What puts a key into a set of the rule's own table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SetUpdate {
    /// The set.
    pub set: Name,
    /// The key.
    pub key: UpdateKey,
    /// How long it remains in the set, in seconds: the kernel rounds finer times.
    pub timeout: NonZeroU32,
}

/// What is put into a set. A key of several fields comes after a condition on the protocol, without
/// which nft does not read the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpdateKey {
    /// `tcp dport`: the packet's own port, with the protocol that the rule's last condition on it lets
    /// through.
    Port(Protocol),
    /// `ct original ip saddr . meta l4proto . ct original proto-dst`, with a counter. Without effect on
    /// packets of the other IP version, and on those that conntrack does not know.
    OriginalSource(IpVersion),
    /// `meta l4proto . ct original proto-dst`, with a counter.
    OriginalPort,
}

impl UpdateKey {
    /// Whether the packets of each key are counted.
    pub fn is_counted(self) -> bool {
        !matches!(self, UpdateKey::Port(_))
    }
}

/// As nft writes it between the braces.
impl fmt::Display for UpdateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpdateKey::Port(protocol) => write!(f, "{protocol} dport"),
            UpdateKey::OriginalSource(version) => {
                let header = Family::from(*version);
                write!(f, "ct original {header} saddr . {}", UpdateKey::OriginalPort)
            }
            UpdateKey::OriginalPort => write!(f, "meta l4proto . ct original proto-dst"),
        }
    }
}

impl NftStatement {
    /// The chain that the packet is sent to, if any.
    pub fn target(&self) -> Option<&Name> {
        match self {
            NftStatement::Jump(chain) | NftStatement::Goto(chain) => Some(chain),
            NftStatement::Accept
            | NftStatement::Drop
            | NftStatement::Return
            | NftStatement::RejectWithReset
            | NftStatement::SetCtMark(_)
            | NftStatement::ClearCtMark(_)
            | NftStatement::UpdateSet(_)
            | NftStatement::Log { .. } => None,
        }
    }

    /// The set that it updates, if any.
    pub fn set(&self) -> Option<&Name> {
        match self {
            NftStatement::UpdateSet(update) => Some(&update.set),
            NftStatement::Accept
            | NftStatement::Drop
            | NftStatement::Return
            | NftStatement::RejectWithReset
            | NftStatement::Jump(_)
            | NftStatement::Goto(_)
            | NftStatement::SetCtMark(_)
            | NftStatement::ClearCtMark(_)
            | NftStatement::Log { .. } => None,
        }
    }
}

impl fmt::Display for NftStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NftStatement::Accept => write!(f, "accept"),
            NftStatement::Drop => write!(f, "drop"),
            NftStatement::Return => write!(f, "return"),
            NftStatement::RejectWithReset => write!(f, "reject with tcp reset"),
            NftStatement::Jump(chain) => write!(f, "jump {chain}"),
            NftStatement::Goto(chain) => write!(f, "goto {chain}"),
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

/// Seconds as nft writes them: `1h`, `1d2h3m4s`.
struct Time(u32);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0;
        let parts = [
            (seconds / 86400, 'd'),
            (seconds / 3600 % 24, 'h'),
            (seconds / 60 % 60, 'm'),
            (seconds % 60, 's'),
        ];
        let mut parts = parts.into_iter().filter(|(number, _)| *number > 0);
        parts.try_for_each(|(number, unit)| write!(f, "{number}{unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_as_nft_prints_them() {
        let text = |seconds| Time(seconds).to_string();
        assert_eq!(text(3600), "1h");
        assert_eq!(text(90), "1m30s");
        assert_eq!(text(93_784), "1d2h3m4s");
    }
}
