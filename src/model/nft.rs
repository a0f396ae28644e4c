//! A native rule in nft's words.

use std::fmt;

use super::native::header;
use super::{AddressSpec, Match, Ports, Rule, from_u128};

/// A rule as `nft` reads and lists it.
pub(super) struct NftText<'a>(pub &'a Rule);

impl fmt::Display for NftText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.0;
        if let Some(interface) = &rule.in_interface {
            let operator = if interface.negated { "!= " } else { "" };
            let star = if interface.wildcard { "*" } else { "" };
            write!(f, "iifname {operator}\"{}{star}\" ", interface.name)?;
        }
        if let Some(destination) = rule.destination {
            write_destination(f, &AddressSpec::Network(destination))?;
        }
        for condition in rule.matches.iter() {
            write_condition(f, condition)?;
        }
        write!(f, "counter {}", rule.verdict)?;
        match rule.matches.last() {
            Some(Match::Comment(text)) => write!(f, " comment \"{text}\""),
            _ => Ok(()),
        }
    }
}

fn write_condition(f: &mut fmt::Formatter<'_>, condition: &Match) -> fmt::Result {
    match condition {
        Match::DestinationPorts(ports) => write_ports(f, ports),
        Match::Range { destination: Some(range), .. } => {
            write_destination(f, &AddressSpec::Range(*range))
        }
        Match::DstTypeLocal => write!(f, "fib daddr type local "),
        Match::SourceShard { version, part } => {
            let (mask, value) = (from_u128(part.mask, *version), from_u128(part.value, *version));
            write!(f, "{} saddr & {mask} == {value} ", header(*version))
        }
        Match::SourceSet { version, set } => write!(f, "{} saddr @{set} ", header(*version)),
        Match::Native(condition) => write!(f, "{condition} "),
        _ => Ok(()),
    }
}

fn write_destination(f: &mut fmt::Formatter<'_>, destination: &AddressSpec) -> fmt::Result {
    write!(f, "{} daddr {destination} ", header(destination.version()))
}

fn write_ports(f: &mut fmt::Formatter<'_>, ports: &Ports) -> fmt::Result {
    write!(f, "{} dport {}", ports.protocol(), ports.first())?;
    match ports.last() {
        last if last == ports.first() => write!(f, " "),
        last => write!(f, "-{last} "),
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Interface, IpVersion, Match, Ports, Protocol, Rule, Shard, Verdict};

    #[test]
    fn a_native_rule_prints_as_nft_prints_it() {
        let ports = Ports::new(Protocol::Tcp, 8000, 8100).expect("ports");
        let rule = Rule {
            destination: Some("2001:db8::5/128".parse().expect("an address")),
            in_interface: Some(Interface { name: "eth".into(), wildcard: true, negated: true }),
            protocol: Some(Protocol::Tcp),
            matches: [
                Match::DestinationPorts(ports),
                Match::SourceShard { version: IpVersion::V6, part: Shard { mask: 7, value: 3 } },
                Match::SourceSet { version: IpVersion::V6, set: "cdn-6.3".into() },
                Match::DstTypeLocal,
                Match::Comment("web".into()),
            ]
            .into(),
            ..Rule::new(Verdict::SetCtMark(0x2000))
        };
        assert_eq!(
            rule.to_string(),
            "iifname != \"eth*\" ip6 daddr 2001:db8::5 tcp dport 8000-8100 ip6 saddr & ::7 == ::3 ip6 saddr @cdn-6.3 \
             fib daddr type local counter ct mark set ct mark | 0x00002000 comment \"web\""
        );
    }
}
