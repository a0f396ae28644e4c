//! The changes that a plan is made of.

use std::sync::Arc;

use crate::model::{
    BaseChain, ChainPath, Interval, Name, Origin, Position, Rule, RuleContent, SetKind, SetPath,
    TablePath,
};

/// One change, a message of the batch or a few.
#[derive(Clone, Debug)]
pub enum Change {
    /// Create the table.
    AddTable(TablePath),
    /// Create the chain; a base chain if it is hooked in.
    AddChain(Arc<ChainPath>, Option<BaseChain<'static>>),
    /// Insert the rule.
    AddRule {
        /// Into this chain.
        chain: Arc<ChainPath>,
        /// At this place.
        place: Position,
        /// The rule.
        rule: Rule,
        /// What in the policy gave rise to it.
        origin: Option<Arc<Origin>>,
    },
    /// Delete one rule.
    DeleteRule {
        /// From this chain.
        chain: Arc<ChainPath>,
        /// The rule's handle.
        handle: u64,
        /// What it said.
        content: RuleContent,
    },
    /// Delete all rules of a chain at once.
    FlushChain {
        /// The chain.
        chain: Arc<ChainPath>,
        /// What those said that are not put back by [`Change::RestoreRule`].
        contents: Vec<RuleContent>,
    },
    /// Put a rule back, behind those that are there.
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
    /// Put elements into a set.
    AddElements {
        /// The set.
        set: Arc<SetPath>,
        /// What its elements are.
        kind: SetKind,
        /// The elements.
        elements: Arc<[Interval]>,
        /// What in the policy gave rise to them, in words.
        origin: Name,
    },
    /// Delete the set, which no rule looks up at the moment, and create it with other elements:
    /// that is much less work for the kernel than to take out most of its elements one by one.
    ReplaceSet {
        /// The set.
        set: Arc<SetPath>,
        /// What its elements are.
        kind: SetKind,
        /// All that it holds then.
        elements: Arc<[Interval]>,
        /// All that it held before.
        before: Arc<[Interval]>,
        /// How many of those it holds then.
        unchanged: usize,
        /// What in the policy gave rise to them, in words.
        origin: Name,
    },
    /// Take elements out of a set.
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
    /// Delete the chain, which is empty and not referred to.
    DeleteChain(Arc<ChainPath>),
    /// Delete the table with all that is in it.
    DeleteTable {
        /// The table.
        table: TablePath,
        /// What goes with it, as the changes that the kernel makes of its own accord.
        contents: Vec<Change>,
    },
}

impl Change {
    /// How many rules and set elements it adds.
    pub(super) fn added(&self) -> usize {
        match self {
            Change::AddRule { .. } => 1,
            Change::AddElements { elements, .. } => elements.len(),
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
            Change::ReplaceSet { before, unchanged, .. } => before.len() - unchanged,
            Change::DeleteSet { elements, .. } => *elements,
            Change::DeleteTable { contents, .. } => contents.iter().map(Change::removed).sum(),
            _ => 0,
        }
    }
}
