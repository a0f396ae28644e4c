//! The rules of `allowed`, or of `allow`, as they would be without maps: each rule of the chains that a map leads to, with
//! the ports as a condition. All that reads who is allowed to reach what reads them so.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::allowed::{ADMITTED, ALLOWED};
use super::{ALLOW, own_table};
use crate::model::{
    Chain, DesiredRule, InstalledChain, InstalledRule, InstalledTable, Name, NftMatch, NftRule,
    NftStatement, PortTarget, Ports, Rule, RuleContent, Ruleset, Snapshot,
};

/// The ruleset without maps.
pub(crate) fn flat_ruleset(ruleset: &Ruleset) -> Cow<'_, Ruleset> {
    if ruleset.maps.is_empty() {
        return Cow::Borrowed(ruleset);
    }
    let own = ruleset.chains.iter().filter(|chain| chain.path.table == own_table());
    let mut walk = Walk {
        chains: own.map(|chain| (&chain.path.chain, &chain.rules[..])).collect(),
        maps: ruleset.maps.iter().map(|map| (&map.path.set, &*map.elements)).collect(),
        flat: Vec::new(),
        passed: HashSet::new(),
    };
    let head = walk.start();
    let Walk { flat, passed, .. } = walk;
    let is_kept =
        |chain: &&Chain| chain.path.table != own_table() || !passed.contains(&chain.path.chain);
    let mut chains: Vec<Chain> = ruleset.chains.iter().filter(is_kept).cloned().collect();
    for chain in &mut chains {
        if chain.path.table == own_table() && &*chain.path.chain == head {
            chain.rules = Arc::new(flat);
            break;
        }
    }
    Cow::Owned(Ruleset { chains, maps: Vec::new(), ..ruleset.clone() })
}

/// The snapshot without maps. Its rules are for reading only: one may have several of the kernel's handles.
pub(crate) fn flat_snapshot(snapshot: &Snapshot) -> Cow<'_, Snapshot> {
    let own = own_table();
    let installed = snapshot.tables.get(&own).filter(|table| !table.maps.is_empty());
    let Some(installed) = installed else { return Cow::Borrowed(snapshot) };
    let mut walk = Walk {
        chains: installed.chains.iter().map(|(name, chain)| (name, &chain.rules[..])).collect(),
        maps: installed.maps.iter().map(|(name, elements)| (name, &**elements)).collect(),
        flat: Vec::new(),
        passed: HashSet::new(),
    };
    let head = walk.start();
    let Walk { flat, passed, .. } = walk;
    let mut table: InstalledTable = installed.clone();
    table.maps.clear();
    table.chains.retain(|name, _| !passed.contains(name));
    if let Some(allowed) = table.chains.get_mut(head) {
        *allowed = InstalledChain { rules: flat, ..allowed.clone() };
        allowed.rules.extend(foreign_elements(installed));
    }
    let mut flat = snapshot.clone();
    flat.tables.insert(own, table);
    Cow::Owned(flat)
}

/// Elements of maps that dwnl never writes, as foreign rules: it is not known whom they admit.
fn foreign_elements(table: &InstalledTable) -> impl Iterator<Item = InstalledRule> {
    let foreign = table.maps.iter().flat_map(|(map, elements)| {
        let foreign = elements.iter().filter(|element| element.chain.is_none());
        foreign.map(move |element| format!("[element of @{map}: {element}]"))
    });
    foreign.map(|expressions| InstalledRule {
        handle: 0,
        content: RuleContent::Foreign { expressions, target: None, translation: None },
        packets: 0,
        bytes: 0,
    })
}

/// A rule, desired or installed.
trait AnyRule: Clone {
    fn known(&self) -> Option<&Rule>;
    fn with(&self, rule: Rule) -> Self;
}

impl AnyRule for DesiredRule {
    fn known(&self) -> Option<&Rule> {
        Some(&self.rule)
    }

    fn with(&self, rule: Rule) -> DesiredRule {
        DesiredRule { rule, origin: self.origin.clone() }
    }
}

impl AnyRule for InstalledRule {
    fn known(&self) -> Option<&Rule> {
        self.content.known()
    }

    fn with(&self, rule: Rule) -> InstalledRule {
        InstalledRule { content: RuleContent::Known(rule), ..self.clone() }
    }
}

/// Follows the maps, and collects the rules that they lead to.
struct Walk<'a, R> {
    chains: HashMap<&'a Name, &'a [R]>,
    maps: HashMap<&'a Name, &'a [PortTarget]>,
    flat: Vec<R>,
    /// The chains whose rules are collected, without the one that the walk starts at.
    passed: HashSet<Name>,
}

impl<'a, R: AnyRule> Walk<'a, R> {
    /// Returns the chain that it starts at: without the guard there is no `allowed`.
    fn start(&mut self) -> &'static str {
        let head = if self.chains.contains_key(&Name::from(ALLOWED)) { ALLOWED } else { ALLOW };
        self.chain(head, None, 0);
        head
    }

    /// `ports`: those for which a map leads here.
    fn chain(&mut self, name: &str, ports: Option<Ports>, depth: usize) {
        /// As many jumps as dwnl's rules take.
        const DEPTH_MAX: usize = 3;
        let Some(rules) = self.chains.get(&Name::from(name)).copied() else { return };
        if depth > DEPTH_MAX {
            return;
        }
        for rule in rules {
            let Some(known) = rule.known() else {
                // A foreign rule is one, for however many ports.
                if ports.is_none() || self.passed.insert(foreign_mark(name)) {
                    self.flat.push(rule.clone());
                }
                continue;
            };
            match (followed(known), ports) {
                (Some(Followed::Map(map)), None) => self.map(known, map, depth),
                // What none denies at one port is what none denies at any.
                (Some(Followed::Chain(chain)), Some(_)) if &**chain == ADMITTED => {}
                (Some(Followed::Chain(chain)), ports) => {
                    self.chain(chain, ports, depth + 1);
                    self.passed.insert(Arc::clone(chain));
                }
                (_, None) => self.flat.push(rule.clone()),
                (_, Some(ports)) => self.flat.push(rule.with(with_ports(known, ports))),
            }
        }
    }

    fn map(&mut self, rule: &Rule, map: &Name, depth: usize) {
        let protocol = rule.as_nft().and_then(|rule| match &*rule.matches {
            [NftMatch::Protocol(protocol)] => Some(*protocol),
            _ => None,
        });
        let elements = self.maps.get(map).copied().unwrap_or_default();
        for element in elements {
            let ports = protocol.and_then(|protocol| element.ports(protocol));
            let (Some(chain), Some(ports)) = (&element.chain, ports) else { continue };
            self.chain(chain, Some(ports), depth + 1);
            self.passed.insert(Arc::clone(chain));
        }
    }
}

/// A name that no chain has, for the foreign rules of a chain.
fn foreign_mark(chain: &str) -> Name {
    format!("{chain} (foreign)").into()
}

/// Where a rule without further conditions leads.
enum Followed<'a> {
    Map(&'a Name),
    Chain(&'a Name),
}

fn followed(rule: &Rule) -> Option<Followed<'_>> {
    let NftRule { matches, statement, .. } = rule.as_nft()?;
    match statement {
        NftStatement::OriginalPortMap(map) => Some(Followed::Map(map)),
        NftStatement::Jump(chain) | NftStatement::Goto(chain) if matches.is_empty() => {
            Some(Followed::Chain(chain))
        }
        _ => None,
    }
}

/// The rule with a condition on the ports, where rules have it that no map leads to.
fn with_ports(rule: &Rule, ports: Ports) -> Rule {
    let Rule::Nft(rule) = rule else { return rule.clone() };
    let is_interface = |it: &&NftMatch| matches!(it, NftMatch::Interface(..));
    let (before, behind) =
        rule.matches.split_at(rule.matches.iter().take_while(is_interface).count());
    let matches = before.iter().cloned().chain([NftMatch::CtOriginalPorts(ports)]);
    let matches = matches.chain(behind.iter().cloned()).collect();
    NftRule { matches, ..rule.clone() }.into()
}
