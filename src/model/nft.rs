//! A native rule in nft's words.

use std::fmt;

use super::interface::InterfacePattern;
use super::native::header;
use super::{AddressSpec, Family, Match, Ports, Rule, from_u128};

/// A rule as `nft` reads and lists it.
pub(super) struct NftText<'a>(pub &'a Rule);

impl fmt::Display for NftText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.0;
        if let Some(interface) = &rule.in_interface {
            write!(f, "iifname {} ", InterfacePattern(interface))?;
        }
        if let Some(destination) = rule.destination {
            write_destination(f, &AddressSpec::masked(destination))?;
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
            write!(f, "{} daddr {range} ", header(Family::of(range.first())))
        }
        Match::DstTypeLocal => write!(f, "fib daddr type local "),
        Match::SourceShard { family, part } => {
            let (mask, value) = (from_u128(part.mask, *family), from_u128(part.value, *family));
            write!(f, "{} saddr & {mask} == {value} ", header(*family))
        }
        Match::SourceSet { family, set } => write!(f, "{} saddr @{set} ", header(*family)),
        Match::Native(condition) => write!(f, "{condition} "),
        _ => Ok(()),
    }
}

fn write_destination(f: &mut fmt::Formatter<'_>, destination: &AddressSpec) -> fmt::Result {
    write!(f, "{} daddr {destination} ", header(destination.family()))
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
    use crate::model::{Family, Match, Ports, Protocol, Rule, Shard, Verdict};

    #[test]
    fn a_native_rule_prints_as_nft_prints_it() {
        let ports = Ports::new(Protocol::Tcp, 8000, 8100).expect("ports");
        let rule = Rule {
            destination: Some("2001:db8::5/128".parse().expect("an address")),
            in_interface: "!eth+".parse().ok(),
            protocol: Some(Protocol::Tcp),
            matches: [
                Match::DestinationPorts(ports),
                Match::SourceShard { family: Family::Ip6, part: Shard { mask: 7, value: 3 } },
                Match::SourceSet { family: Family::Ip6, set: "cdn-6.3".into() },
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
