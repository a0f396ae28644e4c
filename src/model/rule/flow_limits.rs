//! Limits that a rule imposes on the flows that it admits.

use std::fmt;
use std::num::NonZeroU32;

use super::UpdateKey;
use super::set_update::Time;
use crate::model::{IpVersion, Name, Rate};

/// The bit of the connection label that flows have that were admitted within the limits of an entry.
/// A flow that has it is not counted again: not on its way through a second hook, nor for further
/// packets before the first answer.
pub const ADMITTED_LABEL: u8 = 13;

/// The limits of an entry; at least one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlowLimits {
    /// How many flows may be open at the same time.
    pub connections: Option<ConnectionLimit>,
    /// How many flows may be opened in a time.
    pub rate: Option<RateLimit>,
}

/// `add @SET { ct original ip saddr ct count 100 }`: the rule ends here for a flow with which a source
/// would have more flows open, and for a source that finds no place in the set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionLimit {
    /// The set of the sources with their open flows.
    pub set: Name,
    /// The IP version of the sources.
    pub version: IpVersion,
    /// How many flows a source may have open.
    pub count: NonZeroU32,
}

/// `update @SET { KEY timeout 1s limit rate 20/second burst 20 packets }`: the rule ends here for a flow
/// above the rate of its key, and for a key that finds no place in the set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// The rate of each key.
    pub rate: Rate,
    /// The set of the keys.
    pub set: Name,
    /// What has a rate of its own.
    pub key: UpdateKey,
}

impl FlowLimits {
    /// The sets that the kernel keeps for them.
    pub fn sets(&self) -> impl Iterator<Item = &Name> {
        let connections = self.connections.iter().map(|limit| &limit.set);
        connections.chain(self.rate.iter().map(|limit| &limit.set))
    }
}

/// As nft writes them, each followed by a space.
impl fmt::Display for FlowLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(ConnectionLimit { set, version, count }) = &self.connections {
            write!(f, "add @{set} {{ {} ct count {count} }} ", UpdateKey::SourceNetwork(*version))?;
        }
        if let Some(RateLimit { rate, set, key }) = &self.rate {
            let timeout = Time(rate.refill().get());
            write!(f, "update @{set} {{ {key} timeout {timeout} limit rate {rate} }} ")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RateUnit;

    #[test]
    fn limits_print_as_nft_prints_them() {
        let rate = Rate::new(20, RateUnit::Second, None).expect("a rate");
        let connections = ConnectionLimit {
            set: "web-open".into(),
            version: IpVersion::V6,
            count: const { NonZeroU32::new(100).expect("a number") },
        };
        let key = UpdateKey::SourceNetwork(IpVersion::V4);
        let rate = RateLimit { rate, set: "web".into(), key };
        let limits = FlowLimits { connections: Some(connections), rate: Some(rate) };
        let expected = "add @web-open { ct original ip6 saddr & ffff:ffff:ffff:ffff:: ct count 100 } \
                        update @web { ct original ip saddr timeout 1s limit rate 20/second burst 20 \
                        packets } ";
        assert_eq!(limits.to_string(), expected);
        assert_eq!(limits.sets().map(AsRef::as_ref).collect::<Vec<&str>>(), ["web-open", "web"]);
    }
}
