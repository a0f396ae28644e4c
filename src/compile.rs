//! `Policy` → `Ruleset`: the only place that knows Docker's chains and the scheme that blocks
//! published ports.
//!
//! Docker publishes a port by a jump from `PREROUTING` to its chain `DOCKER`. Two rules above that
//! jump keep every packet for this host from reaching it, and the first of them sends the packet
//! through `DOCKER-BLOCK`, whose rules jump to `DOCKER` for allowed sources only.

use std::collections::HashSet;
use std::sync::Arc;

use ipnetwork::IpNetwork;

use crate::policy::{Allow, Policy, Source};
use crate::ruleset::{
    AddressRange, Addresses, BaseChain, Chain, ChainPath, Extent, Family, Match, Name, Origin,
    Ports, Rule, Ruleset, TablePath, Verdict, WantedRule,
};

/// The table in which Docker publishes ports.
const TABLE: &str = "nat";
/// Docker's chain of published ports.
const DOCKER: &str = "DOCKER";
/// Our chain of allowed sources.
const BLOCK: &str = "DOCKER-BLOCK";

/// Compiles a policy to the chains and rules that enforce it, in both families. The empty policy
/// compiles to the [`frame`] alone, which blocks every published port.
pub fn compile(policy: &Policy) -> Ruleset {
    let chains = Family::ALL.into_iter().flat_map(|family| scheme(family, policy)).collect();
    Ruleset { chains }
}

/// What dwnl owns whatever the policy says: the frame that all policies share.
pub fn frame() -> Ruleset {
    compile(&Policy::default())
}

fn scheme(family: Family, policy: &Policy) -> [Chain; 3] {
    [
        chain(family, DOCKER, None, Extent::Exists, Vec::new()),
        chain(family, BLOCK, None, Extent::Whole, block_rules(family, policy)),
        chain(
            family,
            "PREROUTING",
            Some(BaseChain::NAT_PREROUTING),
            Extent::Head,
            vec![
                without_origin(local(Verdict::Jump(BLOCK.into()))),
                without_origin(local(Verdict::Return)),
            ],
        ),
    ]
}

fn chain(
    family: Family,
    name: &str,
    base: Option<BaseChain<'static>>,
    extent: Extent,
    rules: Vec<WantedRule>,
) -> Chain {
    let table = TablePath { family, table: TABLE.into() };
    let path = Arc::new(ChainPath { table, chain: name.into() });
    Chain { path, base, extent, rules }
}

fn without_origin(rule: Rule) -> WantedRule {
    WantedRule { rule, origin: None }
}

/// `-m addrtype --dst-type LOCAL VERDICT`
fn local(verdict: Verdict) -> Rule {
    Rule { matches: [Match::DestinationLocal].into(), ..Rule::new(verdict) }
}

/// The rules of `DOCKER-BLOCK`: entry by entry, port by port, source by source. A rule that an
/// earlier one of the same words makes superfluous is left out.
fn block_rules(family: Family, policy: &Policy) -> Vec<WantedRule> {
    let docker: Name = DOCKER.into();
    let mut wanted = Vec::new();
    for entry in &policy.allow {
        for ports in &entry.ports {
            EntryRules { family, entry, ports: *ports, docker: &docker }.push_onto(&mut wanted);
        }
    }
    let mut seen = HashSet::with_capacity(wanted.len());
    let is_first: Vec<bool> = wanted.iter().map(|wanted| seen.insert(&wanted.rule)).collect();
    let mut is_first = is_first.into_iter();
    wanted.retain(|_| is_first.next().unwrap_or(true));
    wanted
}

/// The rules of one entry for one of its ports.
struct EntryRules<'a> {
    family: Family,
    entry: &'a Allow,
    ports: Ports,
    docker: &'a Name,
}

impl EntryRules<'_> {
    fn push_onto(&self, wanted: &mut Vec<WantedRule>) {
        for destination in self.destinations() {
            let shared = self.matches(None, range(destination));
            match &self.entry.from {
                None => wanted.push(self.rule(None, destination, &shared, self.origin(None, None))),
                Some(groups) => {
                    for group in groups {
                        for source in self.of_family(&group.sources) {
                            let origin = self.origin(group.name.clone(), Some(source));
                            let addresses = Some(&source.addresses);
                            wanted.push(self.rule(addresses, destination, &shared, origin));
                        }
                    }
                }
            }
        }
    }

    /// The addresses to be called, `None` for any; none at all if they are of the other family.
    fn destinations(&self) -> Vec<Option<&Addresses>> {
        if self.entry.to.is_empty() {
            return vec![None];
        }
        let of_family = |addresses: &&Addresses| addresses.family() == self.family;
        self.entry.to.iter().filter(of_family).map(Some).collect()
    }

    fn of_family<'s>(&self, sources: &'s [Source]) -> impl Iterator<Item = &'s Source> {
        let family = self.family;
        sources.iter().filter(move |source| source.addresses.family() == family)
    }

    /// `-s SOURCE -d DESTINATION -i INTERFACE -p tcp -m tcp --dport PORTS
    /// -m iprange --src-range SOURCE --dst-range DESTINATION -m conntrack --ctstate NEW
    /// -m comment --comment NAME -j DOCKER`
    fn rule(
        &self,
        source: Option<&Addresses>,
        destination: Option<&Addresses>,
        shared: &Arc<[Match]>,
        origin: Origin,
    ) -> WantedRule {
        let matches = match range(source) {
            Some(source) => self.matches(Some(source), range(destination)),
            None => Arc::clone(shared),
        };
        let rule = Rule {
            source: network(source),
            destination: network(destination),
            in_interface: self.entry.in_interface.clone(),
            protocol: Some(self.ports.protocol()),
            matches,
            verdict: Verdict::Jump(Arc::clone(self.docker)),
        };
        WantedRule { rule, origin: Some(Arc::new(origin)) }
    }

    fn matches(
        &self,
        source: Option<AddressRange>,
        destination: Option<AddressRange>,
    ) -> Arc<[Match]> {
        let mut matches = vec![Match::DestinationPorts(self.ports)];
        if source.is_some() || destination.is_some() {
            matches.push(Match::Range { source, destination });
        }
        matches.push(Match::StateNew);
        matches.extend(self.entry.name.clone().map(Match::Comment));
        matches.into()
    }

    fn origin(&self, group: Option<Name>, source: Option<&Source>) -> Origin {
        Origin {
            entry: self.entry.name.clone(),
            at: self.entry.at.clone(),
            group,
            source: source.and_then(|source| source.at.clone()),
        }
    }
}

/// The network that a header condition can match; `/0` needs no condition.
fn network(addresses: Option<&Addresses>) -> Option<IpNetwork> {
    match addresses {
        Some(Addresses::Network(network)) if network.prefix() > 0 => Some(*network),
        _ => None,
    }
}

fn range(addresses: Option<&Addresses>) -> Option<AddressRange> {
    match addresses {
        Some(Addresses::Range(range)) => Some(*range),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Group;
    use crate::ruleset::Protocol;

    fn source(text: &str) -> Source {
        let addresses = match text.split_once('-') {
            Some((first, last)) => Addresses::Range(
                AddressRange::new(
                    first.parse().expect("an address"),
                    last.parse().expect("an address"),
                )
                .expect("a range"),
            ),
            None => Addresses::Network(text.parse().expect("a network")),
        };
        Source { addresses, at: None }
    }

    fn entry(port: u16, sources: &[&str]) -> Allow {
        let sources = sources.iter().map(|text| source(text)).collect();
        let ports = Ports::new(Protocol::Tcp, port, port).expect("a port");
        Allow { from: Some(vec![Group { name: None, sources }]), ..Allow::new(vec![ports]) }
    }

    fn block(family: Family, policy: &Policy) -> Vec<String> {
        let ruleset = compile(policy);
        let is_block = |chain: &&Chain| {
            chain.path.table.family == family && chain.path.chain.as_ref() == BLOCK
        };
        let chain = ruleset.chains.iter().find(is_block).expect("the chain");
        chain.rules.iter().map(|wanted| wanted.rule.to_string()).collect()
    }

    #[test]
    fn the_empty_policy_is_the_frame_alone() {
        let policy = Policy::default();
        for family in Family::ALL {
            assert!(block(family, &policy).is_empty());
        }
        let chains: Vec<String> =
            compile(&policy).chains.iter().map(|chain| chain.path.to_string()).collect();
        assert_eq!(
            chains,
            [
                "ip nat DOCKER",
                "ip nat DOCKER-BLOCK",
                "ip nat PREROUTING",
                "ip6 nat DOCKER",
                "ip6 nat DOCKER-BLOCK",
                "ip6 nat PREROUTING"
            ]
        );
    }

    #[test]
    fn each_source_goes_to_its_own_family() {
        let policy = Policy {
            allow: vec![entry(443, &["172.16.0.0/26", "2001:db8::1", "192.0.2.1-192.0.2.3"])],
            ..Policy::default()
        };
        assert_eq!(
            block(Family::Ip, &policy),
            [
                "-s 172.16.0.0/26 -p tcp -m tcp --dport 443 -m conntrack --ctstate NEW -j DOCKER",
                "-p tcp -m tcp --dport 443 -m iprange --src-range 192.0.2.1-192.0.2.3 \
                 -m conntrack --ctstate NEW -j DOCKER",
            ]
        );
        assert_eq!(
            block(Family::Ip6, &policy),
            ["-s 2001:db8::1/128 -p tcp -m tcp --dport 443 -m conntrack --ctstate NEW -j DOCKER"]
        );
    }

    #[test]
    fn the_same_rule_stands_once_and_anybody_is_no_condition() {
        let policy = Policy {
            allow: vec![entry(80, &["192.0.2.1", "192.0.2.1", "0.0.0.0/0"]), entry(80, &["::/0"])],
            ..Policy::default()
        };
        assert_eq!(
            block(Family::Ip, &policy),
            [
                "-s 192.0.2.1/32 -p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j DOCKER",
                "-p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j DOCKER",
            ]
        );
        assert_eq!(
            block(Family::Ip6, &policy),
            ["-p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j DOCKER"]
        );
    }

    #[test]
    fn destinations_of_the_other_family_leave_no_rule() {
        let to = vec![source("203.0.113.5").addresses];
        let policy =
            Policy { allow: vec![Allow { to, from: None, ..entry(80, &[]) }], ..Policy::default() };
        assert_eq!(
            block(Family::Ip, &policy),
            ["-d 203.0.113.5/32 -p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j DOCKER"]
        );
        assert!(block(Family::Ip6, &policy).is_empty());
    }
}
