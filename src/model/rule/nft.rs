//! A rule of nft: conditions in order, a statement and a comment.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::{NftMatch, NftStatement};
use crate::model::Name;

/// A rule of dwnl's own table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NftRule {
    /// The conditions in the order in which the kernel tests them. A condition on a field of the
    /// IP header comes after one on the IP version, [`NftMatch::NfProto`].
    pub matches: Arc<[NftMatch]>,
    /// What happens to a packet that meets them all.
    pub statement: NftStatement,
    /// The comment in the rule's user data: at most 127 bytes without `"` and NUL, for nft to read.
    pub comment: Option<Arc<str>>,
}

impl NftRule {
    /// The rule without a comment.
    pub fn new(matches: impl IntoIterator<Item = NftMatch>, statement: NftStatement) -> NftRule {
        NftRule { matches: matches.into_iter().collect(), statement, comment: None }
    }

    /// The sets that it looks up or updates.
    pub fn sets(&self) -> impl Iterator<Item = &Name> {
        self.matches.iter().filter_map(NftMatch::set).chain(self.statement.sets())
    }

    /// The rule with other names of sets of intervals and maps that it looks up: those that `renamed` has.
    pub(crate) fn with_names(&self, renamed: &HashMap<Name, Name>) -> NftRule {
        let mut matches = self.matches.to_vec();
        let mut statement = self.statement.clone();
        let map = match &mut statement {
            NftStatement::OriginalPortMap(map) => Some(map),
            _ => None,
        };
        for name in matches.iter_mut().filter_map(NftMatch::set_mut).chain(map) {
            if let Some(other) = renamed.get(name) {
                *name = Arc::clone(other);
            }
        }
        NftRule { matches: matches.into(), statement, comment: self.comment.clone() }
    }

    /// Whether a condition behind this index is on the IP header of this condition's version, so
    /// that nft does not print it.
    fn is_implied(&self, index: usize) -> bool {
        let (before, behind) = self.matches.split_at(index + 1);
        let Some(NftMatch::NfProto(version)) = before.last() else { return false };
        behind.iter().any(|condition| condition.header_version() == Some(*version))
    }
}

/// The rule as nft reads and lists it.
impl fmt::Display for NftRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, condition) in self.matches.iter().enumerate() {
            if !self.is_implied(index) {
                write!(f, "{condition} ")?;
            }
        }
        write!(f, "counter {}", self.statement)?;
        match &self.comment {
            Some(text) => write!(f, " comment \"{text}\""),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Direction, IpVersion, Ports, Protocol, SetUpdate, Shard, UpdateKey};

    #[test]
    fn a_rule_prints_as_nft_prints_it() {
        let ports = Ports::new(Protocol::Tcp, 8000, 8100).expect("ports");
        let interface = "!eth+".parse().expect("an interface");
        let address = "2001:db8::5".parse().expect("an address");
        let rule = NftRule {
            comment: Some("web".into()),
            ..NftRule::new(
                [
                    NftMatch::Interface(Direction::In, interface),
                    NftMatch::NfProto(IpVersion::V6),
                    NftMatch::Destination(address),
                    NftMatch::Ports(ports),
                    NftMatch::SourceShard(IpVersion::V6, Shard { mask: 7, value: 3 }),
                    NftMatch::SourceSet(IpVersion::V6, "cdn-6.3".into()),
                    NftMatch::DstTypeLocal,
                ],
                NftStatement::SetCtMark(0x2000),
            )
        };
        assert_eq!(
            rule.to_string(),
            "iifname != \"eth*\" ip6 daddr 2001:db8::5 tcp dport 8000-8100 ip6 saddr & ::7 == ::3 \
             ip6 saddr @cdn-6.3 fib daddr type local counter ct mark set ct mark | 0x00002000 \
             comment \"web\""
        );
    }

    #[test]
    fn a_version_is_printed_unless_a_header_condition_implies_it() {
        let text = |matches: &[NftMatch]| {
            NftRule::new(matches.iter().cloned(), NftStatement::Accept).to_string()
        };
        let [v4, v6] = IpVersion::ALL.map(NftMatch::NfProto);
        let set = NftMatch::SourceSet(IpVersion::V4, "cdn".into());
        assert_eq!(text(&[v4.clone(), set.clone()]), "ip saddr @cdn counter accept");
        assert_eq!(text(&[v6, set.clone()]), "meta nfproto ipv6 ip saddr @cdn counter accept");
        assert_eq!(text(&[set, v4]), "ip saddr @cdn meta nfproto ipv4 counter accept");
    }

    #[test]
    fn a_rule_names_its_sets() {
        let update = SetUpdate {
            set: "seen".into(),
            key: UpdateKey::Port(Protocol::Tcp),
            timeout: const { std::num::NonZeroU32::new(60).expect("a minute") },
        };
        let matches = [NftMatch::PortSet(Protocol::Tcp, "ports".into()), NftMatch::CtStatusDnat];
        let rule = NftRule::new(matches, NftStatement::UpdateSet(update));
        let sets: Vec<&str> = rule.sets().map(AsRef::as_ref).collect();
        assert_eq!(sets, ["ports", "seen"]);
    }
}
