//! The changes that a plan is made of.

use std::sync::Arc;

use crate::model::{
    BaseChain, ChainPath, Interval, Name, Origin, PortTarget, Position, Rule, RuleContent, SetKind,
    SetPath, TablePath,
};

/// One change: one message of the batch or a few.
#[derive(Clone, Debug)]
pub enum Change {
    /// Create the table.
    AddTable(TablePath),
    /// Create the chain; `Some` for a base chain.
    AddChain(Arc<ChainPath>, Option<BaseChain<'static>>),
    /// Insert the rule.
    AddRule {
        /// Into this chain.
        chain: Arc<ChainPath>,
        /// At this position.
        place: Position,
        /// The rule.
        rule: Rule,
        /// The entry and source of the policy that it comes from.
        origin: Option<Arc<Origin>>,
    },
    /// Delete one rule.
    DeleteRule {
        /// From this chain.
        chain: Arc<ChainPath>,
        /// The rule's handle.
        handle: u64,
        /// Its content.
        content: RuleContent,
    },
    /// Delete all rules of a chain at once.
    FlushChain {
        /// The chain.
        chain: Arc<ChainPath>,
        /// The contents of those that no [`Change::RestoreRule`] adds again.
        contents: Vec<RuleContent>,
    },
    /// Add a rule again that was flushed, behind those that are there, with its counter.
    RestoreRule {
        /// Into this chain.
        chain: Arc<ChainPath>,
        /// The rule.
        rule: Rule,
        /// The packets that it had counted.
        packets: u64,
        /// The bytes that it had counted.
        bytes: u64,
    },
    /// Create the set.
    AddSet(Arc<SetPath>, SetKind),
    /// Add elements to a set.
    AddElements {
        /// The set.
        set: Arc<SetPath>,
        /// What its elements are.
        kind: SetKind,
        /// The elements.
        elements: Arc<[Interval]>,
        /// What in the policy they come from, in words.
        origin: Name,
    },
    /// Delete the set, which no rule looks up at this point, and create it with other elements: that
    /// is much less work for the kernel than to delete most of its elements one by one.
    ReplaceSet {
        /// The set.
        set: Arc<SetPath>,
        /// What its elements are.
        kind: SetKind,
        /// All its elements afterwards.
        elements: Arc<[Interval]>,
        /// All its elements before.
        before: Arc<[Interval]>,
        /// How many elements are in both.
        unchanged: usize,
        /// What in the policy they come from, in words.
        origin: Name,
    },
    /// Delete elements from a set.
    DeleteElements {
        /// The set.
        set: Arc<SetPath>,
        /// What its elements are.
        kind: SetKind,
        /// The elements.
        elements: Vec<Interval>,
    },
    /// Delete the set, which no rule looks up any more.
    DeleteSet {
        /// The set.
        set: Arc<SetPath>,
        /// How many elements it has.
        elements: usize,
    },
    /// Create the map.
    AddMap(Arc<SetPath>),
    /// Add elements to a map.
    AddTargets {
        /// The map.
        map: Arc<SetPath>,
        /// The elements.
        elements: Arc<[PortTarget]>,
    },
    /// Delete elements from a map.
    DeleteTargets {
        /// The map.
        map: Arc<SetPath>,
        /// The elements.
        elements: Arc<[PortTarget]>,
    },
    /// Delete the map, which no rule looks up any more.
    DeleteMap {
        /// The map.
        map: Arc<SetPath>,
        /// The elements that it still has: none unless its table is deleted.
        elements: Arc<[PortTarget]>,
    },
    /// Delete the chain, which is empty and which no rule jumps to.
    DeleteChain(Arc<ChainPath>),
    /// Delete the table with everything in it.
    DeleteTable {
        /// The table.
        table: TablePath,
        /// What the kernel deletes with it, as changes.
        contents: Vec<Change>,
    },
}

impl Change {
    /// The table that it changes.
    pub(crate) fn table(&self) -> &TablePath {
        match self {
            Change::AddTable(table) | Change::DeleteTable { table, .. } => table,
            Change::AddChain(chain, _)
            | Change::AddRule { chain, .. }
            | Change::DeleteRule { chain, .. }
            | Change::FlushChain { chain, .. }
            | Change::RestoreRule { chain, .. }
            | Change::DeleteChain(chain) => &chain.table,
            Change::AddSet(set, _)
            | Change::AddElements { set, .. }
            | Change::ReplaceSet { set, .. }
            | Change::DeleteElements { set, .. }
            | Change::DeleteSet { set, .. } => &set.table,
            Change::AddMap(map)
            | Change::AddTargets { map, .. }
            | Change::DeleteTargets { map, .. }
            | Change::DeleteMap { map, .. } => &map.table,
        }
    }

    /// How many rules and set elements it adds.
    pub(super) fn added(&self) -> usize {
        match self {
            Change::AddRule { .. } => 1,
            Change::AddElements { elements, .. } => elements.len(),
            Change::AddTargets { elements, .. } => elements.len(),
            Change::ReplaceSet { elements, unchanged, .. } => elements.len() - unchanged,
            _ => 0,
        }
    }

    /// How many rules and set elements it removes.
    pub(super) fn removed(&self) -> usize {
        match self {
            Change::DeleteRule { .. } => 1,
            Change::FlushChain { contents, .. } => contents.len(),
            Change::DeleteElements { elements, .. } => elements.len(),
            Change::DeleteTargets { elements, .. } | Change::DeleteMap { elements, .. } => {
                elements.len()
            }
            Change::ReplaceSet { before, unchanged, .. } => before.len() - unchanged,
            Change::DeleteSet { elements, .. } => *elements,
            Change::DeleteTable { contents, .. } => contents.iter().map(Change::removed).sum(),
            _ => 0,
        }
    }
}
