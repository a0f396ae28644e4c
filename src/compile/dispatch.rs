//! Rules for many ports: a map leads from the port to a chain with the rules for that port alone, so that a
//! new flow meets as few rules with ten thousand entries as with ten.
//!
//! Rules are divided into *units*, which are for the same ports: those of an entry for one of its ports, or
//! for all of them if it has many. Ports at which the same units apply have one chain: that of the unit or,
//! if there are several, one that has the rules of all of them. The chains are named after the entries, so
//! that a changed entry changes its own chains alone.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::own::{self, jump, rule};
use super::own_table;
use super::sets::set_name;
use crate::model::{
    Chain, DesiredRule, Name, NftMatch, NftStatement, PortMap, PortTarget, Ports, Protocol, Rule,
    SetPath,
};
use crate::policy::Entry;

/// Minimum number of rules with a condition on the port for which there is a map instead. Fewer are easier to
/// read, and cost a new flow little.
pub(super) const RULES_MIN: usize = 32;
/// The same without the guard, where `iptables -S` is the only place that shows who is allowed.
pub(super) const UNGUARDED_RULES_MIN: usize = 256;
/// Maximum number of ports of an entry of which each has rules of its own, and so counters.
pub(super) const PORTS_COUNTED_MAX: usize = 16;
/// Maximum number of rules of a unit for which they are repeated instead of a jump to its chain.
const REPEATED_MAX: usize = 2;
/// How many times as many rules as without a map there may be with it, because ranges of ports overlap.
const GROWTH_MAX: usize = 4;

/// The rules of an entry for some of its ports, without a condition on the port.
pub(super) struct Unit {
    /// A name that the unit keeps when others change.
    label: String,
    /// The index of the entry.
    entry: usize,
    ports: Vec<Ports>,
    rules: Arc<[DesiredRule]>,
}

/// Where a rule is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CountedFor {
    /// The index of the entry.
    pub entry: usize,
    /// Those of its ports that the rule is for, if it is not for several.
    pub ports: Option<Ports>,
}

/// The maps and their chains.
pub(super) struct Dispatch {
    pub maps: Vec<PortMap>,
    /// The chains, each before those whose rules jump to it.
    pub chains: Vec<ClassChain>,
}

/// The rules for the ports of one class.
pub(super) struct ClassChain {
    name: Name,
    pub rules: Vec<DesiredRule>,
    /// Where each rule is counted.
    counted: Vec<Option<CountedFor>>,
}

/// What the chains have in common.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Rules that allow.
    Allowing,
    /// Rules that deny, which end with `goto admitted`.
    Denying,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Kind::Allowing => "allowed",
            Kind::Denying => "denied",
        }
    }

    /// Whether a map of this kind leads to the chain.
    pub fn is_chain(self, chain: &str) -> bool {
        chain.strip_prefix(self.prefix()).is_some_and(|rest| rest.starts_with('-'))
    }
}

/// The units of the entry with this index. `rules`: those for one of its ports, without the port.
pub(super) fn units(index: usize, entry: &Entry, rules: Vec<DesiredRule>) -> Vec<Unit> {
    if rules.is_empty() {
        return Vec::new();
    }
    let rules: Arc<[DesiredRule]> = rules.into();
    let name = entry.name().map(|name| set_name(name));
    let unit = |label, ports| Unit { label, entry: index, ports, rules: Arc::clone(&rules) };
    let own = name.unwrap_or_default();
    if entry.ports().len() > PORTS_COUNTED_MAX {
        // No name begins with a dot.
        let first = entry.ports().first().map(|ports| format!(".{}", text(*ports)));
        let label = if own.is_empty() { first.unwrap_or_default() + ".more" } else { own };
        return vec![unit(label, entry.ports().to_vec())];
    }
    entry
        .ports()
        .iter()
        .map(|ports| unit(format!("{own}.{}", text(*ports)), vec![*ports]))
        .collect()
}

/// `443-tcp`, `8000-8100-tcp`
fn text(ports: Ports) -> String {
    ports.to_string().replace('/', "-")
}

/// How many rules there are without a map.
pub(super) fn plain_rules(units: &[Unit]) -> usize {
    units.iter().map(|unit| unit.rules.len() * unit.ports.len()).sum()
}

impl Dispatch {
    /// The maps for these units; `None` if plain rules are better, as they are if there are less than
    /// `rules_min`.
    pub fn of(
        units: &[Unit],
        kind: Kind,
        end: Option<DesiredRule>,
        rules_min: usize,
    ) -> Option<Dispatch> {
        let plain = plain_rules(units);
        if plain < rules_min {
            return None;
        }
        let mut builder = Builder {
            units,
            kind,
            end,
            names: HashSet::new(),
            unit_chains: HashMap::new(),
            classes: HashMap::new(),
            chains: Vec::new(),
            left: GROWTH_MAX * plain,
        };
        let mut maps = Vec::new();
        for protocol in Protocol::ALL {
            let elements = builder.elements(protocol)?;
            if !elements.is_empty() {
                let set = format!("{}-{protocol}", kind.prefix()).into();
                let path = Arc::new(SetPath { table: own_table(), set });
                maps.push(PortMap { path, elements: elements.into() });
            }
        }
        Some(Dispatch { maps, chains: builder.chains })
    }

    /// `meta l4proto tcp counter ct original proto-dst vmap @allowed-tcp`
    pub fn lookups(&self) -> impl Iterator<Item = DesiredRule> {
        let of = |protocol: &Protocol| {
            let suffix = format!("-{protocol}");
            let map = self.maps.iter().find(|map| map.path.set.ends_with(&suffix))?;
            let statement = NftStatement::OriginalPortMap(Arc::clone(&map.path.set));
            Some(rule([NftMatch::Protocol(*protocol)], statement))
        };
        Protocol::ALL.iter().filter_map(of).collect::<Vec<_>>().into_iter()
    }
}

impl ClassChain {
    /// The chain.
    pub fn chain(&self) -> Chain {
        own::chain(&self.name, None, self.rules.clone())
    }

    /// The name of the chain, and where its rules are counted.
    pub fn counted(&self) -> (&Name, impl Iterator<Item = (&Rule, CountedFor)>) {
        let rules = self.rules.iter().zip(&self.counted);
        (&self.name, rules.filter_map(|(desired, counted)| Some((&desired.rule, (*counted)?))))
    }
}

struct Builder<'a> {
    units: &'a [Unit],
    kind: Kind,
    end: Option<DesiredRule>,
    names: HashSet<Name>,
    /// The chains of units, by their index.
    unit_chains: HashMap<usize, Name>,
    /// The chains of classes, by the indices of their units.
    classes: HashMap<Vec<usize>, Name>,
    chains: Vec<ClassChain>,
    /// How many more rules there may be.
    left: usize,
}

impl Builder<'_> {
    /// The elements of the map for a protocol; `None` if there are too many rules.
    fn elements(&mut self, protocol: Protocol) -> Option<Vec<PortTarget>> {
        // Where units begin (true) and where they have ended.
        let mut bounds: Vec<(u32, bool, usize)> = Vec::new();
        for (index, unit) in self.units.iter().enumerate() {
            for ports in unit.ports.iter().filter(|ports| ports.protocol() == protocol) {
                bounds.push((u32::from(ports.first()), true, index));
                bounds.push((u32::from(ports.last()) + 1, false, index));
            }
        }
        bounds.sort_unstable();
        let mut active = Active::default();
        let mut elements: Vec<PortTarget> = Vec::new();
        for (position, (port, begins, unit)) in bounds.iter().enumerate() {
            active.count(*unit, *begins);
            let Some((next, ..)) = bounds.get(position + 1).filter(|(next, ..)| next > port) else {
                continue;
            };
            if active.units.is_empty() {
                continue;
            }
            let chain = Some(self.class(&active.units)?);
            let (first, last) = (u16::try_from(*port).ok()?, u16::try_from(next - 1).ok()?);
            match elements.last_mut() {
                Some(before) if before.chain == chain && before.last + 1 == first => {
                    before.last = last;
                }
                _ => elements.push(PortTarget { first, last, chain }),
            }
        }
        Some(elements)
    }

    /// The chain for the ports at which these units apply.
    fn class(&mut self, units: &BTreeSet<usize>) -> Option<Name> {
        let key: Vec<usize> = units.iter().copied().collect();
        if let Some(known) = self.classes.get(&key) {
            return Some(Arc::clone(known));
        }
        let name = match &key[..] {
            [unit] => self.unit_chain(*unit)?,
            several => self.shared_chain(several)?,
        };
        self.classes.insert(key, Arc::clone(&name));
        Some(name)
    }

    fn unit_chain(&mut self, index: usize) -> Option<Name> {
        if let Some(known) = self.unit_chains.get(&index) {
            return Some(Arc::clone(known));
        }
        let name = self.unique(format!("{}-{}", self.kind.prefix(), self.units[index].label));
        let mut chain = ClassChain::new(&name);
        chain.push_unit(&self.units[index]);
        self.push(chain)?;
        self.unit_chains.insert(index, Arc::clone(&name));
        Some(name)
    }

    fn shared_chain(&mut self, units: &[usize]) -> Option<Name> {
        let labels: Vec<&str> = units.iter().map(|unit| &*self.units[*unit].label).collect();
        let fingerprint = fingerprint(&labels.join("\n"));
        let name = self.unique(format!("{}-.shared-{fingerprint:016x}", self.kind.prefix()));
        let mut chain = ClassChain::new(&name);
        for index in units {
            let unit = &self.units[*index];
            match self.kind {
                Kind::Allowing if unit.rules.len() > REPEATED_MAX => {
                    let target = self.unit_chain(*index)?;
                    chain.push(rule([], jump(&target)), None);
                }
                // The `return` of a rule that denies has to leave `allowed`.
                _ => chain.push_unit(unit),
            }
        }
        self.push(chain)?;
        Some(name)
    }

    fn push(&mut self, mut chain: ClassChain) -> Option<()> {
        self.left = self.left.checked_sub(chain.rules.len())?;
        if let Some(end) = &self.end {
            chain.push(end.clone(), None);
        }
        self.chains.push(chain);
        Some(())
    }

    fn unique(&mut self, name: String) -> Name {
        let numbered = (2..).map(|number| format!("{name}.{number}"));
        let mut all = std::iter::once(name.clone()).chain(numbered);
        let free = all.find(|name| !self.names.contains(name.as_str())).unwrap_or(name);
        let free: Name = free.into();
        self.names.insert(Arc::clone(&free));
        free
    }
}

impl ClassChain {
    fn new(name: &Name) -> ClassChain {
        ClassChain { name: Arc::clone(name), rules: Vec::new(), counted: Vec::new() }
    }

    /// Appends the rules of a unit that the chain does not have yet.
    fn push_unit(&mut self, unit: &Unit) {
        let ports = match &unit.ports[..] {
            [ports] => Some(*ports),
            _ => None,
        };
        let known: HashSet<Rule> = self.rules.iter().map(|it| it.rule.clone()).collect();
        for desired in unit.rules.iter().filter(|it| !known.contains(&it.rule)) {
            self.push(desired.clone(), Some(CountedFor { entry: unit.entry, ports }));
        }
    }

    fn push(&mut self, rule: DesiredRule, counted: Option<CountedFor>) {
        self.rules.push(rule);
        self.counted.push(counted);
    }
}

/// The units that apply at a port, each as often as one of its ranges includes it.
#[derive(Default)]
struct Active {
    units: BTreeSet<usize>,
    numbers: HashMap<usize, usize>,
}

impl Active {
    fn count(&mut self, unit: usize, begins: bool) {
        let number = self.numbers.entry(unit).or_default();
        *number = if begins { *number + 1 } else { number.saturating_sub(1) };
        match *number {
            0 => self.units.remove(&unit),
            _ => self.units.insert(unit),
        };
    }
}

/// FNV-1a: the same number for the same units in every version of dwnl.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
