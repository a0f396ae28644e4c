//! A rule: conditions, a counter, and what happens to a packet that meets the conditions. Rules of
//! the tables that iptables reads are in iptables' terms, those of dwnl's own table in nft's.

mod flow_limits;
mod iptables;
mod nft;
mod nft_match;
mod nft_statement;
mod set_update;

use std::fmt;

use super::{Name, Ports};

pub use flow_limits::{ADMITTED_LABEL, ConnectionLimit, FlowLimits, RateLimit};
pub use iptables::{COMMENT_MAX, IptablesRule, Match, Verdict};
pub use nft::NftRule;
pub use nft_match::{CgroupMatch, Direction, Endpoint, NftMatch, TimeMatch};
pub use nft_statement::NftStatement;
pub use set_update::{SetUpdate, UpdateKey};

/// A rule. Equal rules have the same effect; the counter that every rule has is not compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A rule that iptables can read, for tables of the families `ip` and `ip6`.
    Iptables(IptablesRule),
    /// A rule that only nft can read, for tables of the family `inet`.
    Nft(NftRule),
}

impl Rule {
    /// The rule, if it is one of iptables.
    pub fn as_iptables(&self) -> Option<&IptablesRule> {
        match self {
            Rule::Iptables(rule) => Some(rule),
            Rule::Nft(_) => None,
        }
    }

    /// The rule, if it is one of nft.
    pub fn as_nft(&self) -> Option<&NftRule> {
        match self {
            Rule::Iptables(_) => None,
            Rule::Nft(rule) => Some(rule),
        }
    }

    /// The chain that it sends packets to, if any.
    pub fn target(&self) -> Option<&Name> {
        match self {
            Rule::Iptables(rule) => rule.verdict.target(),
            Rule::Nft(rule) => rule.statement.target(),
        }
    }

    /// The destination ports that it matches, translated or not, if it matches any.
    pub fn ports(&self) -> Option<Ports> {
        let of_iptables = |condition: &Match| match condition {
            Match::DestinationPorts(ports) => Some(*ports),
            _ => None,
        };
        let of_nft = |condition: &NftMatch| match condition {
            NftMatch::CtOriginalPorts(ports) | NftMatch::Ports(ports) => Some(*ports),
            _ => None,
        };
        match self {
            Rule::Iptables(rule) => rule.matches.iter().find_map(of_iptables),
            Rule::Nft(rule) => rule.matches.iter().find_map(of_nft),
        }
    }

    /// The comment, if it has one.
    pub fn comment(&self) -> Option<&str> {
        match self {
            Rule::Iptables(rule) => rule.matches.iter().find_map(|condition| match condition {
                Match::Comment(comment) => Some(&**comment),
                _ => None,
            }),
            Rule::Nft(rule) => rule.comment.as_deref(),
        }
    }

    /// The sets that it looks up or updates; iptables' rules have none.
    pub fn sets(&self) -> impl Iterator<Item = &Name> {
        self.as_nft().into_iter().flat_map(NftRule::sets)
    }
}

impl From<IptablesRule> for Rule {
    fn from(rule: IptablesRule) -> Rule {
        Rule::Iptables(rule)
    }
}

impl From<NftRule> for Rule {
    fn from(rule: NftRule) -> Rule {
        Rule::Nft(rule)
    }
}

/// What `iptables -S` prints behind `-A CHAIN `, or a line of `nft list ruleset`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Iptables(rule) => rule.fmt(f),
            Rule::Nft(rule) => rule.fmt(f),
        }
    }
}

/// Where in its chain a new rule goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Behind all rules.
    Append,
    /// Before the rule with this handle.
    Before(u64),
}
