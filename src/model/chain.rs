//! What the kernel should hold: chains and how much of each is ours.

use std::sync::Arc;

use super::{BaseChain, ChainPath, ForeignTranslations, Name, Origin, Rule, Set, TablePath};

/// How much of a chain is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The chain has to exist, so that a rule can jump to it. Its rules are somebody else's.
    Referenced,
    /// Our rules stand first, each of them once. The rules below are somebody else's.
    Leading,
    /// The chain holds our rules and no others.
    Exclusive,
}

/// A chain as it should be.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its address.
    pub path: Arc<ChainPath>,
    /// Its hook, for a base chain.
    pub base: Option<BaseChain<'static>>,
    /// How much of it is ours.
    pub ownership: Ownership,
    /// Our rules in it, in order; no two are equal. Shared, because a large policy has many.
    pub rules: Arc<Vec<DesiredRule>>,
    /// Rules of ours that have no place in it at present: wherever they are found they go.
    pub retired: Vec<Rule>,
}

/// A rule as it should be, with what gave rise to it.
#[derive(Clone, Debug)]
pub struct DesiredRule {
    /// The rule.
    pub rule: Rule,
    /// The entry and source of the policy; `None` for the frame that every policy has.
    pub origin: Option<Arc<Origin>>,
}

/// What the kernel should hold. A chain comes before the chains whose rules jump to it.
#[derive(Clone, Debug, Default)]
pub struct Ruleset {
    /// The chains.
    pub chains: Vec<Chain>,
    /// The sets that their rules look up.
    pub sets: Vec<Set>,
    /// The tables that are wholly ours: what is in them and not in the ruleset goes, and a table
    /// of which the ruleset has no chain goes itself.
    pub owned_tables: Vec<TablePath>,
    /// Chains of ours in other tables that this ruleset does without: where they stand they go.
    pub unused: Vec<Arc<ChainPath>>,
    /// What is to be guarded beyond the rules of Docker. `None`: the ruleset has no guard.
    pub guard: Option<GuardScope>,
    /// Translations of other programs, because of which the second jump is left out or, where it
    /// is not, that it cuts off. Empty until the ruleset is resolved.
    pub foreign_translations: Vec<ForeignTranslations>,
}

/// What the guard looks for on the host beyond the rules of Docker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardScope {
    /// Whether containers with `--network=host` are guarded.
    pub host_network: bool,
    /// The path of the cgroup of dockerd and docker-proxy; `None`: it is told by its name.
    pub docker_cgroup: Option<Name>,
    /// The names of the cgroups at the top of the hierarchy whose services are the host's own.
    pub host_cgroups: Vec<Name>,
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
