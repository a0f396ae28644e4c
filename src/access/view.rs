//! dwnl's chains and sets, of a desired ruleset or of a snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use super::sources::SetSource;
use crate::compile::{ALLOWED, BLOCK, DWNL, GUARD};
use crate::docker::NAT;
use crate::model::{
    BaseChain, ChainPath, Family, Interval, Name, Rule, Ruleset, SetKind, Snapshot, TablePath,
};

/// The chain of the nat tables that dwnl's jumps are in.
pub(super) const PREROUTING: &str = "PREROUTING";

/// dwnl's chains and sets.
#[derive(Default)]
pub(super) struct View<'a> {
    chains: HashMap<(Family, &'a str), ChainView<'a>>,
    sets: HashMap<&'a str, SetSource>,
    /// In place of a chain that does not exist.
    empty: ChainView<'a>,
}

/// A chain. A rule is `None` if it is of another form than dwnl writes.
#[derive(Default)]
pub(super) struct ChainView<'a> {
    pub base: Option<BaseChain<'a>>,
    pub rules: Vec<Option<&'a Rule>>,
}

impl<'a> ChainView<'a> {
    /// The rules that dwnl can read.
    pub fn known(&self) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().copied().flatten()
    }
}

impl<'a> View<'a> {
    /// The chains and sets of a ruleset.
    pub fn of_ruleset(ruleset: &'a Ruleset) -> View<'a> {
        let mut view = View::default();
        for chain in ruleset.chains.iter().filter(|chain| is_relevant(&chain.path)) {
            let rules = chain.rules.iter().map(|desired| Some(&desired.rule)).collect();
            let key = (chain.path.table.family, &*chain.path.chain);
            view.chains.insert(key, ChainView { base: chain.base, rules });
        }
        for set in &ruleset.sets {
            view.add_set(&set.path.set, Some(set.kind), &set.elements);
        }
        view
    }

    /// Those that are installed. Chains of a table that is switched off have no effect.
    pub fn of_snapshot(snapshot: &'a Snapshot) -> View<'a> {
        let mut view = View::default();
        for (path, table) in snapshot.tables.iter().filter(|(_, table)| !table.dormant) {
            for (name, chain) in &table.chains {
                if !is_relevant_name(path, name) {
                    continue;
                }
                let rules = chain.rules.iter().map(|rule| rule.content.known()).collect();
                view.chains.insert((path.family, name), ChainView { base: chain.base(), rules });
            }
            if is_own(path) {
                for (name, set) in &table.sets {
                    view.add_set(name, set.kind, &set.elements);
                }
            }
        }
        view
    }

    fn add_set(&mut self, name: &'a Name, kind: Option<SetKind>, elements: &Arc<[Interval]>) {
        if let Some(version) = kind.and_then(SetKind::version) {
            let elements = Arc::clone(elements);
            self.sets.insert(name, SetSource { version, name: Arc::clone(name), elements });
        }
    }

    /// The set of this name.
    pub fn set(&self, name: &str) -> Option<SetSource> {
        self.sets.get(name).cloned()
    }

    /// A chain of dwnl's own table; empty if it does not exist.
    pub fn own(&self, chain: &'static str) -> &ChainView<'a> {
        self.chain(Family::Inet, chain)
    }

    /// A chain of a nat table; empty if it does not exist.
    pub fn nat(&self, family: Family, chain: &'static str) -> &ChainView<'a> {
        self.chain(family, chain)
    }

    fn chain(&self, family: Family, chain: &'static str) -> &ChainView<'a> {
        self.chains.get(&(family, chain)).unwrap_or(&self.empty)
    }

    /// Whether the guard judges flows.
    pub fn has_guard(&self) -> bool {
        self.chains.contains_key(&(Family::Inet, ALLOWED))
    }

    /// How many rules of another form there are in chains that hold only dwnl's.
    pub fn foreign_rules(&self) -> usize {
        let own = self.chains.iter().filter(|((_, chain), _)| *chain != PREROUTING);
        own.map(|(_, chain)| chain.rules.iter().filter(|rule| rule.is_none()).count()).sum()
    }
}

fn is_relevant(path: &ChainPath) -> bool {
    is_relevant_name(&path.table, &path.chain)
}

fn is_relevant_name(table: &TablePath, chain: &str) -> bool {
    let is_nat = table.family != Family::Inet && &*table.table == NAT;
    is_own(table) || (is_nat && [PREROUTING, BLOCK, GUARD].contains(&chain))
}

fn is_own(table: &TablePath) -> bool {
    table.family == Family::Inet && &*table.table == DWNL
}
