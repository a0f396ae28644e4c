//! Tables and chains as the kernel holds them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rule::KernelRule;
use super::set::KernelSet;
use crate::model::{BaseChain, ChainPath, Hook, Name, TablePath};

/// All tables of the families `ip`, `ip6` and `inet` at one generation, whichever program made them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelRuleset {
    /// The generation; the kernel increments it with every change.
    pub generation: u32,
    /// The tables by their paths.
    pub tables: BTreeMap<TablePath, KernelTable>,
}

impl KernelRuleset {
    /// The chain with this path, if it exists.
    pub fn chain(&self, path: &ChainPath) -> Option<&KernelChain> {
        self.tables.get(&path.table)?.chains.get(&path.chain)
    }

    /// The rule of a chain with this handle, if it exists.
    pub fn rule(&self, table: &TablePath, chain: &str, handle: u64) -> Option<&KernelRule> {
        let chain = self.tables.get(table)?.chains.get(chain)?;
        chain.rules.iter().find(|rule| rule.handle == handle)
    }
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelTable {
    /// The kernel's number for it; a later table has a higher one.
    pub handle: u64,
    /// Whether it is switched off: packets skip its base chains (`NFT_TABLE_F_DORMANT`).
    pub dormant: bool,
    /// The port ID of the only netlink socket that may change it (`NFTA_TABLE_OWNER`), if the table
    /// has an owner.
    pub owner: Option<u32>,
    /// Its chains by name.
    pub chains: BTreeMap<Name, KernelChain>,
    /// Its sets and maps by name, with those that are part of a rule.
    pub sets: BTreeMap<Name, Arc<KernelSet>>,
}

/// A chain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelChain {
    /// The kernel's number for it; a later chain of the table has a higher one.
    pub handle: u64,
    /// Where it is attached, if it is a base chain.
    pub base: Option<KernelBase>,
    /// Its rules, in order.
    pub rules: Vec<KernelRule>,
}

/// Where a base chain is attached, and what becomes of a packet at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelBase {
    /// The type: `filter`, `nat` or `route`.
    pub chain_type: Name,
    /// The hook.
    pub hook: Hook,
    /// The priority among the chains of that hook; lower comes first.
    pub priority: i32,
    /// Whether it drops what reaches its end (`policy drop`).
    pub drops: bool,
}

impl KernelBase {
    /// Where it is attached; `Display` is nft's syntax.
    pub fn attachment(&self) -> BaseChain<'_> {
        BaseChain { chain_type: &self.chain_type, hook: self.hook, priority: self.priority }
    }
}
