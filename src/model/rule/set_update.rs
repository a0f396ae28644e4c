//! What rules put into sets.

use std::fmt;
use std::num::NonZeroU32;

use crate::model::{Family, IpVersion, Name, Protocol};

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
    /// `ct original ip saddr`, `ct original ip6 saddr & ffff:ffff:ffff:ffff::`: the source, of IPv6
    /// its network of 64 bits, in which a host can choose its address itself.
    SourceNetwork(IpVersion),
    /// `ct direction`: the same for every packet that opens a flow.
    Direction,
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
            UpdateKey::Direction => write!(f, "ct direction"),
            UpdateKey::SourceNetwork(IpVersion::V4) => write!(f, "ct original ip saddr"),
            UpdateKey::SourceNetwork(IpVersion::V6) => {
                write!(f, "ct original ip6 saddr & ffff:ffff:ffff:ffff::")
            }
        }
    }
}

/// Seconds as nft writes them: `1h`, `1d2h3m4s`.
pub(super) struct Time(pub u32);

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
