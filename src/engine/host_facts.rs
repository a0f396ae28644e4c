//! Reads what a policy is compared with: the host's interfaces and addresses, and the filters of other
//! programs.

use super::connection::DumpStatus;
use super::conntrack::local_networks;
use super::{ATTEMPTS_MAX, Engine, Error, host};
use crate::mismatch::{HostFacts, PacketFilter};
use crate::model::{Action, AddressSpec, ChainPath, Family, IpVersion, RuleFacts};
use crate::netlink::{Dump, Message, decode_facts};
use crate::policy::{Entry, Policy};

/// Maximum number of rules of one filter, and of chains that lead to each other, that are followed.
const RULES_MAX: usize = 1000;
const DEPTH_MAX: usize = 8;

impl Engine {
    /// Reads what [`mismatches`](crate::mismatch::mismatches) compares this policy with. The addresses
    /// are read only if an entry has `to`, and the filters only if there is an entry.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn host_facts(&mut self, policy: &Policy) -> Result<HostFacts, Error> {
        let interfaces = host::links(&mut self.routes)?.into_keys().collect();
        let has_destinations = |entry: &Entry| !entry.to().is_empty();
        let addresses = match policy.entries().any(has_destinations) {
            true => {
                let networks = local_networks(&mut self.routes)?;
                Some(networks.into_iter().map(AddressSpec::masked).collect())
            }
            false => None,
        };
        let filters = if policy.allow().is_empty() { Vec::new() } else { self.filters()? };
        Ok(HostFacts { interfaces, addresses, filters })
    }

    /// The filters, all of one generation.
    fn filters(&mut self) -> Result<Vec<PacketFilter>, Error> {
        for _ in 0..ATTEMPTS_MAX {
            let generation = self.connections[0].generation()?;
            if let Some(filters) = self.filters_of(generation)? {
                return Ok(filters);
            }
        }
        Err(Error::Conflict { attempts: ATTEMPTS_MAX })
    }

    /// The filters; `None` if the ruleset changes meanwhile. The last snapshot has shown which there are.
    fn filters_of(&mut self, generation: u32) -> Result<Option<Vec<PacketFilter>>, Error> {
        if self.filters.0 != generation {
            self.snapshot()?;
        }
        let (seen, chains) = self.filters.clone();
        if seen != generation {
            return Ok(None);
        }
        let mut filters = Vec::new();
        for (path, drops) in chains {
            let mut reader = FilterReader::new(self, generation);
            if reader.read(&path, DEPTH_MAX)? == DumpStatus::Interrupted {
                return Ok(None);
            }
            let FilterReader { rules, is_complete, .. } = reader;
            filters.push(PacketFilter { path, rules, is_complete, drops });
        }
        Ok(Some(filters))
    }
}

/// Collects the rules of a filter, chain by chain.
struct FilterReader<'e> {
    engine: &'e mut Engine,
    generation: u32,
    rules: Vec<(ChainPath, RuleFacts)>,
    is_complete: bool,
}

impl<'e> FilterReader<'e> {
    fn new(engine: &'e mut Engine, generation: u32) -> FilterReader<'e> {
        FilterReader { engine, generation, rules: Vec::new(), is_complete: true }
    }

    /// Adds the rules of a chain, and in place of a jump without a condition those of its target.
    fn read(&mut self, path: &ChainPath, depth: usize) -> Result<DumpStatus, Error> {
        let family = path.table.family;
        let mut rules = Vec::new();
        let what = Dump::Rules { table: &path.table.table, chain: Some(&path.chain) };
        let [connection, _] = &mut self.engine.connections;
        let dumped = connection.dump(what, family, self.generation, |message| {
            if rules.len() <= RULES_MAX {
                rules.push(facts(message, family));
            }
            true
        })?;
        if dumped == DumpStatus::Interrupted {
            return Ok(dumped);
        }
        for rule in rules {
            let target = unconditional_jump(&rule, path);
            let is_known = !rule.has_unknown && !matches!(rule.action, Some(Action::Translate));
            match (&rule.action, target) {
                (_, Some(target)) if depth > 0 => {
                    if self.read(&target, depth - 1)? == DumpStatus::Interrupted {
                        return Ok(DumpStatus::Interrupted);
                    }
                }
                (action, _) if is_known && !matches!(action, Some(Action::Jump(_))) => {
                    self.rules.push((path.clone(), rule));
                }
                _ => self.is_complete = false,
            }
            self.is_complete &= self.rules.len() <= RULES_MAX;
            if !self.is_complete {
                break;
            }
        }
        Ok(DumpStatus::Complete)
    }
}

/// The facts about a rule. In a table of both IP versions an address is not certain.
fn facts(message: Message, family: Family) -> RuleFacts {
    let mut facts = decode_facts(message.attributes(), family.version().unwrap_or(IpVersion::V4));
    let has_address = facts.source.is_some() || facts.destination.is_some();
    facts.has_unknown |= family.version().is_none() && has_address;
    facts
}

/// The chain to which the rule sends every packet, and from which they return.
fn unconditional_jump(rule: &RuleFacts, path: &ChainPath) -> Option<ChainPath> {
    let Some(Action::Jump(chain)) = &rule.action else { return None };
    let jump = RuleFacts { action: rule.action.clone(), ..RuleFacts::default() };
    (*rule == jump).then(|| ChainPath { table: path.table.clone(), chain: chain.clone() })
}
