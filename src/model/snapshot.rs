//! What the kernel holds at one generation.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::{
    BaseChain, ChainPath, Docker, Hook, HostState, Interval, Name, PortTarget, Rule, SetKind,
    TablePath,
};

/// The tables that dwnl works in, as they were at one generation of the ruleset.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The generation; the kernel increments it with every change, whichever program makes it.
    pub generation: u32,
    /// The tables by their paths.
    pub tables: BTreeMap<TablePath, InstalledTable>,
    /// What Docker's rules, in these and in other tables, reveal about Docker, and with a guard its
    /// listening sockets.
    pub docker: Docker,
    /// The host outside nf_tables, as far as it was read.
    pub host: HostState,
}

impl Snapshot {
    /// The chain with this path, if it exists.
    pub fn chain(&self, path: &ChainPath) -> Option<&InstalledChain> {
        self.tables.get(&path.table)?.chains.get(&path.chain)
    }
}

/// A table in the kernel.
#[derive(Clone, Debug, Default)]
pub struct InstalledTable {
    /// The port ID of the only netlink socket that may change it (`NFTA_TABLE_OWNER`), if the table
    /// has an owner.
    pub owner: Option<u32>,
    /// Whether dwnl created it.
    pub created_by_dwnl: bool,
    /// Whether it is switched off: packets skip its base chains (`NFT_TABLE_F_DORMANT`).
    pub dormant: bool,
    /// Its chains by name.
    pub chains: BTreeMap<Name, InstalledChain>,
    /// Its sets by name, except those that are part of a rule; only of tables that belong to dwnl.
    pub sets: BTreeMap<Name, InstalledSet>,
    /// Its maps of ports by name, with their elements, sorted; only of tables that belong to dwnl. Maps
    /// of another kind are among the sets.
    pub maps: BTreeMap<Name, Arc<[PortTarget]>>,
    /// Whether it holds stateful objects or flowtables, which dwnl never creates; only of tables
    /// that belong to dwnl.
    pub has_foreign_objects: bool,
}

impl InstalledTable {
    /// The sets and maps that its rules look up, as far as they are of forms that dwnl writes.
    pub(crate) fn looked_up(&self) -> HashSet<&Name> {
        let rules = self.chains.values().flat_map(|chain| &chain.rules);
        rules.filter_map(|rule| rule.content.known()).flat_map(Rule::sets).collect()
    }
}

/// A set in the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstalledSet {
    /// What its elements are; `None` if it is of a kind that dwnl never creates.
    pub kind: Option<SetKind>,
    /// Its elements, sorted; of a dynamic set they are not read.
    pub elements: Arc<[Interval]>,
}

/// A chain in the kernel.
#[derive(Clone, Debug, Default)]
pub struct InstalledChain {
    /// Where it is attached, if it is a base chain: type, hook and priority.
    pub base: Option<(Name, Hook, i32)>,
    /// Whether, as a base chain, it drops what reaches its end (`policy drop`).
    pub drops: bool,
    /// Whether dwnl created it.
    pub created_by_dwnl: bool,
    /// Its rules, in order.
    pub rules: Vec<InstalledRule>,
}

impl InstalledChain {
    /// Where it is attached, if it is a base chain.
    pub fn base(&self) -> Option<BaseChain<'_>> {
        let (chain_type, hook, priority) = self.base.as_ref()?;
        Some(BaseChain { chain_type, hook: *hook, priority: *priority })
    }
}

/// A rule in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledRule {
    /// The kernel's number for it, unique in its table and never reused.
    pub handle: u64,
    /// Its content.
    pub content: RuleContent,
    /// Packets counted.
    pub packets: u64,
    /// Bytes counted.
    pub bytes: u64,
}

/// The content of a rule in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleContent {
    /// A rule of exactly the form that dwnl writes.
    Known(Rule),
    /// Any other rule.
    Foreign {
        /// Its expressions, in the words of `nft --debug=netlink` as far as they are known; empty in
        /// Docker's chains, which may have many rules: what they reveal is in [`Snapshot::docker`].
        expressions: String,
        /// The chain it jumps or goes to, if any.
        target: Option<Name>,
        /// The target or expression by which it translates addresses or may do so.
        translation: Option<Name>,
    },
}

impl RuleContent {
    /// The rule, if it is of a form that dwnl writes.
    pub fn known(&self) -> Option<&Rule> {
        match self {
            RuleContent::Known(rule) => Some(rule),
            RuleContent::Foreign { .. } => None,
        }
    }

    /// The chain that the rule sends packets to, if any.
    pub fn target(&self) -> Option<&Name> {
        match self {
            RuleContent::Known(rule) => rule.target(),
            RuleContent::Foreign { target, .. } => target.as_ref(),
        }
    }

    /// The target or expression by which the rule translates addresses or may do so, if any. A
    /// known rule never does.
    pub fn translation(&self) -> Option<&Name> {
        match self {
            RuleContent::Known(_) => None,
            RuleContent::Foreign { translation, .. } => translation.as_ref(),
        }
    }
}

/// iptables' syntax where the rule is known, else its expressions.
impl fmt::Display for RuleContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuleContent::Known(rule) => write!(f, "{rule}"),
            RuleContent::Foreign { expressions, .. } => f.write_str(expressions),
        }
    }
}
