//! Snapshot → `Ruleset`: the resolved ruleset that reproduces what dwnl has installed, so that a later
//! plan can restore it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::limits::is_limited;
use super::{BLOCK, dedup, managed_objects, own_table};
use crate::docker::DOCKER;
use crate::model::{
    BaseChain, Chain, ChainPath, DesiredRule, InstalledChain, InstalledTable, IpVersion, Name,
    NftMatch, NftStatement, Ownership, PortMap, PortTarget, Rule, RuleContent, Ruleset, Set,
    SetPath, Snapshot, TablePath, Verdict,
};

/// What dwnl has installed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Installed {
    /// The ruleset that reproduces it, already resolved; `None` if nothing is installed.
    pub ruleset: Option<Ruleset>,
    /// What it cannot reproduce, because dwnl never creates it, in words.
    pub unrestorable: Vec<String>,
}

/// What dwnl has installed in the kernel.
pub(crate) fn installed(snapshot: &Snapshot) -> Installed {
    let frame = managed_objects();
    let mut reader = Reader { snapshot, ruleset: Ruleset::default(), unrestorable: Vec::new() };
    for chain in &frame.chains {
        reader.read_chain(chain);
    }
    for path in &frame.owned_tables {
        if let Some(table) = snapshot.tables.get(path) {
            reader.read_table(path, table);
        }
    }
    let is_empty = reader.is_empty(&frame);
    reader.ruleset.owned_tables = frame.owned_tables;
    reader.reference_targets();
    let Reader { ruleset, unrestorable, .. } = reader;
    Installed { ruleset: (!is_empty).then_some(ruleset), unrestorable }
}

/// Reads a snapshot.
struct Reader<'a> {
    snapshot: &'a Snapshot,
    ruleset: Ruleset,
    unrestorable: Vec<String>,
}

impl Reader<'_> {
    /// Whether nothing that belongs to dwnl was found.
    fn is_empty(&self, frame: &Ruleset) -> bool {
        let is_empty = |chain: &Chain| match chain.ownership {
            Ownership::Referenced => true,
            Ownership::Leading => chain.rules.is_empty(),
            Ownership::Exclusive => false,
        };
        self.ruleset.chains.iter().all(is_empty)
            && !frame.owned_tables.iter().any(|path| self.snapshot.tables.contains_key(path))
    }

    /// A chain of the frame, in a foreign table.
    fn read_chain(&mut self, frame: &Chain) {
        let installed = self.snapshot.chain(&frame.path);
        let mut chain = frame.clone();
        match (frame.ownership, installed) {
            (Ownership::Referenced, _) => {}
            (Ownership::Leading, installed) => {
                let rules = installed.into_iter().flat_map(|installed| &installed.rules);
                let known: HashSet<&Rule> = rules.filter_map(|it| it.content.known()).collect();
                let (rules, retired) =
                    frame.rules.iter().cloned().partition(|it| known.contains(&it.rule));
                chain.rules = Arc::new(rules);
                let retired: Vec<DesiredRule> = retired;
                chain.retired = retired.into_iter().map(|desired| desired.rule).collect();
            }
            (Ownership::Exclusive, Some(installed)) => {
                chain.rules = Arc::new(self.read_rules(&frame.path, installed));
            }
            (Ownership::Exclusive, None) => {
                return self.ruleset.unused.push(Arc::clone(&frame.path));
            }
        }
        self.ruleset.chains.push(chain);
    }

    /// A table that belongs to dwnl.
    fn read_table(&mut self, path: &TablePath, table: &InstalledTable) {
        if table.dormant || table.has_foreign_objects {
            self.unrestorable.push(format!("a flag or an object of table {path}"));
        }
        for (name, elements) in &table.maps {
            let path = Arc::new(SetPath { table: path.clone(), set: Arc::clone(name) });
            let known = elements.iter().filter(|element| element.chain.is_some());
            let known: Vec<PortTarget> = known.cloned().collect();
            if known.len() < elements.len() {
                self.unrestorable.push(format!("elements of map {path}"));
            }
            self.ruleset.maps.push(PortMap { path, elements: known.into() });
        }
        for (name, set) in &table.sets {
            let path = Arc::new(SetPath { table: path.clone(), set: Arc::clone(name) });
            match set.kind {
                Some(kind) => self.ruleset.sets.push(Set {
                    path,
                    kind,
                    elements: Arc::clone(&set.elements),
                    origin: "the set as it was".into(),
                }),
                None => self.unrestorable.push(format!("set {name} of table {}", path.table)),
            }
        }
        for name in by_reference(table) {
            let path = ChainPath { table: path.clone(), chain: Arc::clone(name) };
            self.read_own_chain(Arc::new(path), &table.chains[name]);
        }
    }

    fn read_own_chain(&mut self, path: Arc<ChainPath>, installed: &InstalledChain) {
        if installed.drops {
            self.unrestorable.push(format!("the policy `drop` of chain {path}"));
        }
        let base = match installed.base().map(as_static) {
            Some(None) => return self.unrestorable.push(format!("chain {path}")),
            base => base.flatten(),
        };
        let rules = Arc::new(self.read_rules(&path, installed));
        let ownership = Ownership::Exclusive;
        self.ruleset.chains.push(Chain { path, base, ownership, rules, retired: Vec::new() });
    }

    /// The rules of a chain that dwnl can write.
    fn read_rules(&mut self, path: &ChainPath, installed: &InstalledChain) -> Vec<DesiredRule> {
        let Ruleset { sets, maps, .. } = &self.ruleset;
        let sets = sets.iter().map(|it| &it.path.set).chain(maps.iter().map(|it| &it.path.set));
        let sets: BTreeSet<Name> = sets.map(Arc::clone).collect();
        let mut rules = Vec::new();
        for (position, rule) in installed.rules.iter().enumerate() {
            match &rule.content {
                RuleContent::Known(known) if known.sets().all(|set| sets.contains(set)) => {
                    rules.push(DesiredRule { rule: known.clone(), origin: None });
                }
                content => {
                    let position = position + 1;
                    self.unrestorable.push(format!("rule {position} of {path}: {content}"));
                }
            }
        }
        dedup(rules)
    }

    /// Adds the foreign chains that the rules jump to, so that they exist.
    fn reference_targets(&mut self) {
        let present: HashSet<ChainPath> =
            self.ruleset.chains.iter().map(|chain| chain.path.as_ref().clone()).collect();
        let mut missing = BTreeSet::new();
        for chain in &self.ruleset.chains {
            let targets = chain.rules.iter().filter_map(|desired| desired.rule.target());
            let targets = targets.map(|target| ChainPath {
                table: chain.path.table.clone(),
                chain: Arc::clone(target),
            });
            missing.extend(targets.filter(|target| !present.contains(target)));
        }
        for path in missing {
            let same_table = |chain: &Chain| chain.path.table == path.table;
            let first = self.ruleset.chains.iter().position(same_table).unwrap_or_default();
            let chain = Chain {
                path: Arc::new(path),
                base: None,
                ownership: Ownership::Referenced,
                rules: Arc::default(),
                retired: Vec::new(),
            };
            self.ruleset.chains.insert(first, chain);
        }
    }
}

/// The names of the chains, each before those whose rules jump to it.
fn by_reference(table: &InstalledTable) -> Vec<&Name> {
    fn visit<'a>(
        name: &'a Name,
        table: &'a InstalledTable,
        seen: &mut HashMap<&'a Name, ()>,
        order: &mut Vec<&'a Name>,
    ) {
        let Some(chain) = table.chains.get(name) else { return };
        if seen.insert(name, ()).is_some() {
            return;
        }
        for target in chain.rules.iter().filter_map(|rule| rule.content.target()) {
            visit(target, table, seen, order);
        }
        order.push(name);
    }
    let (mut seen, mut order) = (HashMap::new(), Vec::new());
    for name in table.chains.keys() {
        visit(name, table, &mut seen, &mut order);
    }
    order
}

/// The place of a base chain, if its type is one that the kernel has today.
fn as_static(base: BaseChain<'_>) -> Option<BaseChain<'static>> {
    let chain_type = ["filter", "nat", "route"].into_iter().find(|it| *it == base.chain_type)?;
    Some(BaseChain { chain_type, hook: base.hook, priority: base.priority })
}

/// Whether the ruleset blocks the published ports of an IP version for those whom no rule admits.
pub(crate) fn blocks(ruleset: &Ruleset, version: IpVersion) -> bool {
    let mut heads = ruleset.chains.iter().filter(|chain| {
        chain.ownership == Ownership::Leading && chain.path.table.family == version.into()
    });
    heads.any(|head| !head.rules.is_empty())
}

/// The rules that deny flows before any rule admits them: those of `DOCKER-BLOCK` that return and, with the
/// guard or where sets are denied, those of dwnl's own table.
pub(crate) fn denying_rules(ruleset: &Ruleset) -> impl Iterator<Item = (&TablePath, &Rule)> {
    // What returns from the chain of an entry's limits is not denied: other entries may admit it.
    let judges = |path: &ChainPath| path.table == own_table() && !is_limited(&path.chain);
    rules_that(ruleset, move |chain, rule| match rule {
        Rule::Iptables(rule) => {
            chain.path.chain.as_ref() == BLOCK && rule.verdict == Verdict::Return
        }
        Rule::Nft(rule) => judges(&chain.path) && rule.statement == NftStatement::Return,
    })
}

/// The rules that admit flows to published ports: those of `DOCKER-BLOCK` that jump to `DOCKER`, and
/// those of dwnl's own table that accept or mark packets to a port, or admit them within limits.
pub(crate) fn admitting_rules(ruleset: &Ruleset) -> impl Iterator<Item = (&TablePath, &Rule)> {
    let is_block = |chain: &Chain| chain.path.chain.as_ref() == BLOCK;
    let admits = move |chain: &Chain, rule: &Rule| match rule {
        Rule::Iptables(rule) => is_block(chain) && rule.verdict == Verdict::Jump(DOCKER.into()),
        Rule::Nft(rule) => {
            let is_port =
                |it: &NftMatch| matches!(it, NftMatch::CtOriginalPorts(_) | NftMatch::Ports(_));
            let marks = matches!(rule.statement, NftStatement::SetCtMark(_));
            (marks || super::admits(&rule.statement)) && rule.matches.iter().any(is_port)
        }
    };
    rules_that(ruleset, admits)
}

fn rules_that(
    ruleset: &Ruleset,
    meets: impl Fn(&Chain, &Rule) -> bool + Copy,
) -> impl Iterator<Item = (&TablePath, &Rule)> {
    ruleset.chains.iter().flat_map(move |chain| {
        let rules = chain.rules.iter().map(|desired| &desired.rule);
        rules.filter(move |rule| meets(chain, rule)).map(|rule| (&chain.path.table, rule))
    })
}
