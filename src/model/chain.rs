//! What the kernel should hold: chains and how much of each is ours.

use std::fmt;
use std::sync::Arc;

use super::{Family, Origin, Rule, Set};

/// The name of a table or chain; cheap to clone.
pub type Name = Arc<str>;

/// A table's address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TablePath {
    /// The family.
    pub family: Family,
    /// The table.
    pub table: Name,
}

/// `ip nat`, as nft writes it.
impl fmt::Display for TablePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.family, self.table)
    }
}

/// A chain's address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainPath {
    /// The table it stands in.
    pub table: TablePath,
    /// The chain.
    pub chain: Name,
}

/// `ip nat DOCKER-BLOCK`, as nft writes it.
impl fmt::Display for ChainPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.table, self.chain)
    }
}

/// Where a base chain is hooked into the packets' path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BaseChain<'a> {
    /// The type: `filter`, `nat` or `route`.
    pub chain_type: &'a str,
    /// The hook's number (`NF_INET_PRE_ROUTING` is 0).
    pub hook: u32,
    /// The priority among the chains of that hook; lower comes first.
    pub priority: i32,
}

impl BaseChain<'static> {
    /// The chain `PREROUTING` of the table `nat`, as iptables creates it.
    pub const NAT_PREROUTING: BaseChain<'static> =
        BaseChain { chain_type: "nat", hook: 0, priority: -100 };
    /// A chain that sees the first packet of a flow just before that one does.
    pub const BEFORE_NAT_PREROUTING: BaseChain<'static> =
        BaseChain { chain_type: "nat", hook: 0, priority: -101 };
    /// A chain that sees what comes in just after it was translated there.
    pub const AFTER_NAT_PREROUTING: BaseChain<'static> =
        BaseChain { chain_type: "filter", hook: 0, priority: -99 };
    /// A chain that sees what is delivered on this host, before the chains of the table `filter`.
    pub const INPUT: BaseChain<'static> =
        BaseChain { chain_type: "filter", hook: 1, priority: -150 };
    /// A chain that sees what is forwarded, before the chains of the table `filter`.
    pub const FORWARD: BaseChain<'static> =
        BaseChain { chain_type: "filter", hook: 2, priority: -150 };
}

/// `type nat hook 0 priority -100`, close to nft's words.
impl fmt::Display for BaseChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "type {} hook {} priority {}", self.chain_type, self.hook, self.priority)
    }
}

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
