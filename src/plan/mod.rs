//! The difference between the ruleset that is wanted and what the kernel holds: pure values, no
//! input or output.

mod difference;
mod removal;
mod sequence;

use std::sync::Arc;

use crate::ruleset::{
    BaseChain, Chain, ChainPath, InstalledChain, Name, Origin, Place, Rule, RuleContent, Ruleset,
    Snapshot, TablePath,
};
use difference::Difference;
use removal::Removal;

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

/// Why no plan can be made: something stands in the way that is not dwnl's to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// Another program has reserved the table for itself.
    #[error(
        "table {table} is owned by another program (the one with netlink port {port}), and the \
         kernel lets nobody else change it"
    )]
    OwnedTable {
        /// The table.
        table: TablePath,
        /// The owner's netlink port, often its process id.
        port: u32,
    },
    /// A chain that rules have to jump to is a base chain, to which no rule can jump.
    #[error(
        "chain {chain} exists as a base chain ({base}), to which no rule can jump: rename or \
         delete it"
    )]
    BaseChainInTheWay {
        /// The chain.
        chain: ChainPath,
        /// How it is hooked in.
        base: String,
    },
    /// A chain of iptables is not hooked in where iptables expects it.
    #[error("chain {chain} is {found}, where iptables has {expected}: rename or delete it")]
    MisplacedBaseChain {
        /// The chain.
        chain: ChainPath,
        /// How it is hooked in.
        found: String,
        /// How it should be.
        expected: String,
    },
    /// A rule that is not ours jumps to a chain that is to be deleted.
    #[error(
        "chain {chain} cannot be deleted, because rule {position} of chain {referrer}, which is \
         not dwnl's, jumps to it: delete that rule first"
    )]
    StillReferred {
        /// The chain.
        chain: ChainPath,
        /// The chain of the rule that jumps to it, in the same table.
        referrer: Name,
        /// The position of that rule, from 1.
        position: usize,
    },
}

impl Plan {
    /// The changes that turn the snapshot into the wanted ruleset.
    ///
    /// # Errors
    /// What stands in the way, if it is not dwnl's to change.
    pub fn between(wanted: &Ruleset, snapshot: &Snapshot) -> Result<Plan, Obstacle> {
        let mut plan = Plan { generation: snapshot.generation, ..Plan::default() };
        for path in wanted.tables() {
            match snapshot.tables.get(path) {
                Some(table) => check_owner(path, table.owner)?,
                None => plan.changes.push(Change::AddTable(path.clone())),
            }
        }
        for chain in &wanted.chains {
            let installed = match snapshot.chain(&chain.path) {
                Some(installed) => {
                    check_base(chain, installed)?;
                    installed.rules.as_slice()
                }
                None => {
                    plan.changes.push(Change::AddChain(Arc::clone(&chain.path), chain.base));
                    &[]
                }
            };
            let difference = Difference::new(chain, installed);
            plan.unchanged += difference.unchanged();
            difference.push_onto(&mut plan.changes);
        }
        Ok(plan)
    }

    /// The changes that take out of the snapshot all that dwnl put in: the rules of `owned`, and
    /// the chains and tables that dwnl created and that nobody else uses.
    ///
    /// # Errors
    /// What stands in the way, if it is not dwnl's to change.
    pub fn removing(owned: &Ruleset, snapshot: &Snapshot) -> Result<Plan, Obstacle> {
        let changes = Removal::changes(owned, snapshot)?;
        if !changes.is_empty() {
            for path in owned.tables() {
                check_owner(path, snapshot.tables.get(path).and_then(|table| table.owner))?;
            }
        }
        Ok(Plan { generation: snapshot.generation, changes, unchanged: 0 })
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

fn check_owner(path: &TablePath, owner: Option<u32>) -> Result<(), Obstacle> {
    match owner {
        Some(port) => Err(Obstacle::OwnedTable { table: path.clone(), port }),
        None => Ok(()),
    }
}

/// A chain that is jumped to must not be a base chain, and a base chain must be hooked in where
/// it should be.
fn check_base(wanted: &Chain, installed: &InstalledChain) -> Result<(), Obstacle> {
    let chain = wanted.path.as_ref().clone();
    match (wanted.base, installed.base()) {
        (None, Some(base)) => Err(Obstacle::BaseChainInTheWay { chain, base: base.to_string() }),
        (Some(expected), found) if found != Some(expected) => Err(Obstacle::MisplacedBaseChain {
            chain,
            found: found
                .map_or("not hooked in".to_owned(), |found| format!("hooked in as {found}")),
            expected: expected.to_string(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
