//! The difference between the ruleset that is wanted and what the kernel holds: pure values, no
//! input or output.

use std::sync::Arc;

use crate::ruleset::{
    BaseChain, ChainPath, Origin, Rule, RuleContent, Ruleset, Snapshot, TablePath,
};

/// What has to be done to the snapshot's kernel, in the order in which it has to be done. An
/// empty plan sends nothing.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The generation of the snapshot that the plan was made from. It can be committed only while
    /// the kernel is still at this generation.
    pub generation: u32,
    /// The changes.
    pub changes: Vec<Change>,
    /// How many rules of ours stay as they are.
    pub unchanged: usize,
}

/// One message of the batch.
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
        place: Place,
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
        /// What they said.
        contents: Vec<RuleContent>,
    },
    /// Delete the chain, which is empty and not referred to.
    DeleteChain(Arc<ChainPath>),
    /// Delete the table with all that is left in it.
    DeleteTable(TablePath),
}

/// Where a new rule goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind all rules of the chain.
    Last,
    /// Before the rule with this handle.
    Before(u64),
}

/// Why no plan can be made: something stands in the way that is not dwnl's to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// Another program has reserved the table for itself.
    #[error(
        "table {0} is owned by another program (netlink port {1}): only that program can change it"
    )]
    OwnedTable(TablePath, u32),
}

impl Plan {
    /// The changes that turn the snapshot into the wanted ruleset.
    ///
    /// # Errors
    /// What stands in the way, if it is not dwnl's to change.
    pub fn between(wanted: &Ruleset, snapshot: &Snapshot) -> Result<Plan, Obstacle> {
        let _ = (wanted, snapshot);
        todo!()
    }

    /// The changes that take out of the snapshot all that dwnl put in: the rules of `owned`, and
    /// the chains and tables that dwnl created and that nobody else uses.
    ///
    /// # Errors
    /// What stands in the way, if it is not dwnl's to change.
    pub fn removing(owned: &Ruleset, snapshot: &Snapshot) -> Result<Plan, Obstacle> {
        let _ = (owned, snapshot);
        todo!()
    }

    /// Whether the kernel is as it should be.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many rules are added.
    pub fn added(&self) -> usize {
        self.changes.iter().filter(|change| matches!(change, Change::AddRule { .. })).count()
    }

    /// How many rules are removed.
    pub fn removed(&self) -> usize {
        self.changes.iter().map(Change::rules_removed).sum()
    }
}

impl Change {
    fn rules_removed(&self) -> usize {
        match self {
            Change::DeleteRule { .. } => 1,
            Change::FlushChain { contents, .. } => contents.len(),
            _ => 0,
        }
    }
}
