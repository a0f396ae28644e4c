//! Reads permits from the rules that admit flows: those of the guard or, without it, those of
//! `DOCKER-BLOCK` and those that mark the sources in sets.

use std::collections::HashMap;
use std::sync::Arc;

use super::Interfaces;
use super::addresses::{Addresses, all};
use super::condition::{RuleCondition, Source, of_iptables, of_nft};
use super::sources::{SetSource, Sources};
use super::view::View;
use crate::compile::{ALLOW, ALLOWED, BLOCK, SWARM, SWARM_PEERS, admits};
use crate::docker::DOCKER;
use crate::model::{
    AddressSpec, Family, Interval, IpVersion, Match, Name, NftStatement, Ports, Protocol, Rule,
    Verdict,
};

/// What an entry of the policy allows its sources to reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Permit {
    /// The name of the entry as the comment of nft's rules has it: its first 127 bytes, with single
    /// instead of double quotes. `None`: an entry without a name.
    pub entry: Option<Name>,
    /// The published ports.
    pub ports: Ports,
    /// The interface by which a packet has to come in; `None`: any.
    pub in_interface: Option<Interfaces>,
    /// The destination addresses on the host; `None`: any.
    pub to: Option<AddressSpec>,
    /// The sets of the times at which the sources have access, all of which have to include the present;
    /// empty: always. [`schedule_of_set`] has them in words.
    ///
    /// [`schedule_of_set`]: crate::schedule_of_set
    pub times: Vec<Name>,
}

/// Collects the sources of each permit.
#[derive(Default)]
pub(super) struct PermitReader {
    permits: Vec<(Permit, Collected)>,
    index: HashMap<Permit, usize>,
    /// The permit of the last rule: the next one is mostly of the same.
    last: usize,
}

#[derive(Default)]
struct Collected {
    own: [Vec<Interval>; 2],
    sets: Vec<SetSource>,
}

impl PermitReader {
    /// The permits of the rules, in their order.
    pub fn read(view: &View) -> Vec<(Permit, Arc<Sources>)> {
        let mut reader = PermitReader::default();
        if view.has_guard() {
            let admitting = [ALLOWED, SWARM, SWARM_PEERS].into_iter();
            for rule in admitting.flat_map(|chain| view.own(chain).known()) {
                let accepts = has_statement(rule, admits);
                reader.add(of_nft(rule).filter(|_| accepts), view, &IpVersion::ALL);
            }
        } else {
            reader.read_scheme(view);
        }
        reader.finish()
    }

    /// What the rules deny, in the same terms.
    pub fn read_denials(view: &View) -> Vec<(Permit, Arc<Sources>)> {
        let mut reader = PermitReader::default();
        let chain = if view.has_guard() { ALLOWED } else { ALLOW };
        for rule in view.own(chain).known() {
            let returns = has_statement(rule, |it| *it == NftStatement::Return);
            reader.add(of_nft(rule).filter(|_| returns), view, &IpVersion::ALL);
        }
        for version in IpVersion::ALL.into_iter().filter(|_| !view.has_guard()) {
            for rule in view.nat(Family::from(version), BLOCK).known() {
                let returns = has_verdict(rule, &Verdict::Return);
                reader.add(of_iptables(rule).filter(|_| returns), view, &[version]);
            }
        }
        reader.finish()
    }

    /// The permits of the scheme without the guard.
    fn read_scheme(&mut self, view: &View) {
        let mut marked = Vec::new();
        let docker = Verdict::Jump(DOCKER.into());
        for version in IpVersion::ALL {
            for rule in view.nat(Family::from(version), BLOCK).known() {
                if tests_mark(rule) {
                    marked.push(version);
                }
                let condition = of_iptables(rule).filter(|_| has_verdict(rule, &docker));
                self.add(condition, view, &[version]);
            }
        }
        for rule in view.own(ALLOW).known() {
            let marks = has_statement(rule, |it| matches!(it, NftStatement::SetCtMark(_)));
            self.add(of_nft(rule).filter(|_| marks), view, &marked);
        }
    }

    /// Adds what a rule allows, as far as it is of these IP versions.
    fn add(&mut self, condition: Option<RuleCondition>, view: &View, versions: &[IpVersion]) {
        let Some(condition) = condition else { return };
        let every = |protocol| Ports::new(protocol, 1, u16::MAX).ok();
        let all_ports: Vec<Ports> = match (condition.ports, condition.protocol) {
            (Some(ports), _) => vec![ports],
            (None, Some(protocol)) => every(protocol).into_iter().collect(),
            (None, None) => Protocol::ALL.into_iter().filter_map(every).collect(),
        };
        for ports in all_ports {
            let collected = self.collected(ports, &condition);
            for version in versions.iter().filter(|it| condition.is_of(**it)) {
                collected.add(condition.source, *version, view);
            }
        }
    }

    fn collected(&mut self, ports: Ports, condition: &RuleCondition) -> &mut Collected {
        let is_interface = |known: Option<&Interfaces>| match (known, condition.in_interface) {
            (Some(known), Some(interface)) => known.is(interface),
            (known, interface) => known.is_none() && interface.is_none(),
        };
        let is_it = |permit: &Permit| {
            permit.ports == ports
                && is_interface(permit.in_interface.as_ref())
                && permit.to == condition.to
                && permit.times.iter().eq(condition.times.map(|times| &times.set))
                && permit.entry == condition.entry
        };
        if !self.permits.get(self.last).is_some_and(|(permit, _)| is_it(permit)) {
            let permit = Permit {
                entry: condition.entry.clone(),
                ports,
                in_interface: condition.in_interface.cloned().map(Interfaces::one),
                to: condition.to,
                times: condition.times.iter().map(|times| Arc::clone(&times.set)).collect(),
            };
            self.last = *self.index.entry(permit.clone()).or_insert(self.permits.len());
            if self.last == self.permits.len() {
                self.permits.push((permit, Collected::default()));
            }
        }
        &mut self.permits[self.last].1
    }

    /// Permits with equal sources share them.
    fn finish(self) -> Vec<(Permit, Arc<Sources>)> {
        let mut shared: HashMap<Sources, Arc<Sources>> = HashMap::new();
        let permits = self.permits.into_iter().filter_map(|(permit, collected)| {
            let [v4, v6] = collected.own.map(Vec::into_iter);
            let sources = Sources { own: Addresses::merged(v4, v6), sets: collected.sets };
            let is_empty = sources.own.is_empty() && sources.sets.is_empty();
            if let Some(sources) = shared.get(&sources) {
                return Some((permit, Arc::clone(sources)));
            }
            let new = Arc::new(sources.clone());
            shared.insert(sources, Arc::clone(&new));
            (!is_empty).then_some((permit, new))
        });
        permits.collect()
    }
}

impl Collected {
    fn add(&mut self, source: Source, version: IpVersion, view: &View) {
        let own = &mut self.own[usize::from(version == IpVersion::V6)];
        match source {
            Source::Anyone => own.push(all(version)),
            Source::Interval(interval) => own.push(interval),
            Source::Set(name) => {
                let set = view.set(name).filter(|set| set.version == version);
                let is_new = |set: &SetSource| !self.sets.contains(set);
                self.sets.extend(set.filter(is_new));
            }
        }
    }
}

fn has_statement(rule: &Rule, is: impl Fn(&NftStatement) -> bool) -> bool {
    rule.as_nft().is_some_and(|rule| is(&rule.statement))
}

fn has_verdict(rule: &Rule, verdict: &Verdict) -> bool {
    rule.as_iptables().is_some_and(|rule| rule.verdict == *verdict)
}

/// Whether the rule sends those to `DOCKER` that are in a set.
fn tests_mark(rule: &Rule) -> bool {
    let is_mark = |it: &Match| matches!(it, Match::Connmark(_));
    rule.as_iptables().is_some_and(|rule| rule.matches.iter().any(is_mark))
}
