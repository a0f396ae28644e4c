//! The conditions of a rule that admits or denies flows.

use crate::compile::nft_comment;
use crate::model::{
    AddressRange, AddressSpec, Direction, Endpoint, Interface, Interval, IpVersion, IptablesRule,
    Match, Name, NftMatch, NftRule, Ports, Protocol, Rule, TimeMatch,
};

/// The conditions of a rule that admits or denies flows. `None`: no condition.
#[derive(Clone, Debug)]
pub(super) struct RuleCondition<'a> {
    pub entry: Option<Name>,
    pub protocol: Option<Protocol>,
    pub ports: Option<Ports>,
    pub in_interface: Option<&'a Interface>,
    pub to: Option<AddressSpec>,
    pub version: Option<IpVersion>,
    /// The set of times at which it holds.
    pub times: Option<&'a TimeMatch>,
    pub source: Source<'a>,
}

/// The sources of a rule.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Anyone,
    Interval(Interval),
    /// Those in a set of dwnl's table.
    Set(&'a Name),
}

impl<'a> RuleCondition<'a> {
    fn new(entry: Option<Name>) -> RuleCondition<'a> {
        RuleCondition {
            entry,
            protocol: None,
            ports: None,
            in_interface: None,
            to: None,
            version: None,
            times: None,
            source: Source::Anyone,
        }
    }

    /// Whether it is for packets of this IP version.
    pub fn is_of(&self, version: IpVersion) -> bool {
        self.version.is_none_or(|own| own == version)
    }

    fn with_ports(self, ports: Ports) -> RuleCondition<'a> {
        RuleCondition { ports: Some(ports), ..self }
    }

    fn with_to(self, to: AddressSpec) -> RuleCondition<'a> {
        RuleCondition { version: Some(to.version()), to: Some(to), ..self }
    }

    fn with_source(self, source: &AddressSpec) -> RuleCondition<'a> {
        let version = Some(source.version());
        RuleCondition { version, source: Source::Interval(Interval::of(source)), ..self }
    }
}

/// The conditions of a rule of `DOCKER-BLOCK`; `None` if it does not judge flows by their sources.
pub(super) fn of_iptables(rule: &Rule) -> Option<RuleCondition<'_>> {
    let rule = rule.as_iptables()?;
    let IptablesRule { source, destination, in_interface, protocol, matches, .. } = rule;
    let comment = matches.iter().find_map(|it| match it {
        Match::Comment(text) => Some(nft_comment(text)),
        _ => None,
    });
    let mut found = RuleCondition::new(comment);
    (found.in_interface, found.protocol) = (in_interface.as_ref(), *protocol);
    if let Some(source) = source {
        found = found.with_source(&AddressSpec::masked(*source));
    }
    if let Some(destination) = destination {
        found = found.with_to(AddressSpec::masked(*destination));
    }
    for condition in matches.iter() {
        found = match condition {
            Match::DestinationPorts(ports) => found.with_ports(*ports),
            Match::Range { source, destination } => {
                let spec =
                    |range: &AddressRange| AddressSpec::of_range(range.first(), range.last());
                if let Some(source) = source {
                    found = found.with_source(&spec(source));
                }
                match destination {
                    Some(destination) => found.with_to(spec(destination)),
                    None => found,
                }
            }
            Match::CtStateNew | Match::Comment(_) | Match::DstTypeLocal => found,
            Match::Connmark(_) => return None,
        };
    }
    Some(found)
}

/// The conditions of a rule of dwnl's table; `None` if it does not judge flows by their sources.
pub(super) fn of_nft(rule: &Rule) -> Option<RuleCondition<'_>> {
    let NftRule { matches, comment, .. } = rule.as_nft()?;
    let mut found = RuleCondition::new(comment.clone());
    for condition in matches.iter() {
        found = match condition {
            NftMatch::Interface(Direction::In, interface) => {
                RuleCondition { in_interface: Some(interface), ..found }
            }
            NftMatch::NfProto(version) => RuleCondition { version: Some(*version), ..found },
            NftMatch::Ports(ports) | NftMatch::CtOriginalPorts(ports) => found.with_ports(*ports),
            NftMatch::Protocol(protocol) => RuleCondition { protocol: Some(*protocol), ..found },
            NftMatch::Destination(to) | NftMatch::CtOriginalAddress(Endpoint::Destination, to) => {
                found.with_to(*to)
            }
            NftMatch::CtOriginalAddress(Endpoint::Source, source) => found.with_source(source),
            NftMatch::SourceSet(version, set) | NftMatch::CtOriginalSet(version, set) => {
                let version = Some(*version);
                RuleCondition { version, source: Source::Set(set), ..found }
            }
            NftMatch::Time(times) => RuleCondition { times: Some(times), ..found },
            // A shard's set holds no other addresses.
            NftMatch::SourceShard(..) | NftMatch::CtOriginalShard(..) | NftMatch::DstTypeLocal => {
                found
            }
            _ => return None,
        };
    }
    Some(found)
}
