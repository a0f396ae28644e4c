//! What the kernel should hold: chains, and how much of each belongs to dwnl.

use std::sync::Arc;

use super::{
    BaseChain, ChainPath, ForeignTranslations, LogTarget, Name, Origin, PortMap, Rule, Set,
    TablePath,
};

/// How much of a chain belongs to dwnl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The chain has to exist, so that a rule can jump to it. Its rules are foreign.
    Referenced,
    /// dwnl's rules come first, each of them once. The rules below them are foreign.
    Leading,
    /// The chain holds dwnl's rules and no others.
    Exclusive,
}

/// A chain as it should be.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Which chain.
    pub path: Arc<ChainPath>,
    /// Where it is attached, if it is a base chain.
    pub base: Option<BaseChain<'static>>,
    /// How much of it belongs to dwnl.
    pub ownership: Ownership,
    /// dwnl's rules in it, in order; no two are equal. Shared, because a large policy has many.
    pub rules: Arc<Vec<DesiredRule>>,
    /// dwnl's rules that do not belong in it at present: they are removed wherever they are found.
    pub retired: Vec<Rule>,
}

/// A rule as it should be, and where it comes from.
#[derive(Clone, Debug)]
pub struct DesiredRule {
    /// The rule.
    pub rule: Rule,
    /// The entry and source of the policy; `None` for a rule that every policy has.
    pub origin: Option<Arc<Origin>>,
}

/// What the kernel should hold. A chain comes before the chains whose rules jump to it.
#[derive(Clone, Debug, Default)]
pub struct Ruleset {
    /// The chains.
    pub chains: Vec<Chain>,
    /// The sets that their rules look up.
    pub sets: Vec<Set>,
    /// The maps that their rules look up. Their elements go to chains of this ruleset.
    pub maps: Vec<PortMap>,
    /// The tables that belong to dwnl: what is in them and not in the ruleset is deleted, and so is
    /// a table of which the ruleset has no chain.
    pub owned_tables: Vec<TablePath>,
    /// dwnl's chains in other tables that this ruleset does not need: they are deleted if they
    /// exist.
    pub unused: Vec<Arc<ChainPath>>,
    /// What the guard looks for on the host. `None`: the ruleset has no guard.
    pub guard: Option<GuardScope>,
    /// Translations of other programs, because of which the RETURN rule is left out or, where it
    /// is not, that it cuts off. Empty until the ruleset is resolved.
    pub foreign_translations: Vec<ForeignTranslations>,
}

/// What the guard looks for on the host beyond the rules of Docker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardScope {
    /// Whether containers with `--network=host` are guarded.
    pub host_network: bool,
    /// The bits of the connection mark that the guard uses.
    pub mark: u32,
    /// The path of the cgroup of dockerd and docker-proxy; `None`: it is found by its name.
    pub docker_cgroup: Option<Name>,
    /// The names of the cgroups at the top of the hierarchy whose services are the host's own.
    pub host_cgroups: Vec<Name>,
    /// Where the packets are logged that it drops.
    pub log_refused: Option<LogTarget>,
}

impl Ruleset {
    /// The tables of the chains, each once, in order.
    pub fn tables(&self) -> Vec<&TablePath> {
        let mut tables: Vec<&TablePath> =
            self.chains.iter().map(|chain| &chain.path.table).collect();
        tables.dedup();
        tables
    }
}
