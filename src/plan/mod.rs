//! The difference between the ruleset that is wanted and what the kernel holds: pure values, no
//! input or output.

mod difference;
mod elements;
mod own;
mod removal;
mod sequence;

use std::sync::Arc;

use crate::ruleset::{
    BaseChain, Chain, ChainPath, InstalledChain, InstalledTable, Interval, Name, Origin, Place,
    Rule, RuleContent, Ruleset, SetKind, SetPath, Snapshot, TablePath,
};
use difference::Difference;
use elements::ElementDifference;
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
    /// How many rules and set elements of ours stay as they are.
    pub unchanged: usize,
}

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
    /// Create the set.
    AddSet(Arc<SetPath>, SetKind),
    /// Put elements into a set.
    AddElements {
        /// The set.
        set: Arc<SetPath>,
        /// What its elements are.
        kind: SetKind,
        /// The elements.
        elements: Vec<Interval>,
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
    /// Take all elements out of a set at once.
    FlushSet {
        /// The set.
        set: Arc<SetPath>,
        /// How many they are.
        elements: usize,
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
        let mut building = Building {
            wanted,
            snapshot,
            plan: Plan { generation: snapshot.generation, ..Plan::default() },
        };
        building.tables()?;
        building.sets();
        building.chains()?;
        building.unwanted();
        Ok(building.plan)
    }

    /// The changes that take out of the snapshot all that dwnl put in: the rules of `owned`, and
    /// the chains and tables that dwnl created and that nobody else uses.
    ///
    /// # Errors
    /// What stands in the way, if it is not dwnl's to change.
    pub fn removing(owned: &Ruleset, snapshot: &Snapshot) -> Result<Plan, Obstacle> {
        let changes = Removal::changes(owned, snapshot)?;
        if !changes.is_empty() {
            for path in owned.tables().into_iter().chain(&owned.own_tables) {
                check_owner(path, snapshot.tables.get(path).and_then(|table| table.owner))?;
            }
        }
        Ok(Plan { generation: snapshot.generation, changes, unchanged: 0 })
    }

    /// Whether the kernel is as it should be.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many rules and set elements are added.
    pub fn added(&self) -> usize {
        self.changes.iter().map(Change::added).sum()
    }

    /// How many rules and set elements are removed.
    pub fn removed(&self) -> usize {
        self.changes.iter().map(Change::removed).sum()
    }
}

impl Change {
    fn added(&self) -> usize {
        match self {
            Change::AddRule { .. } => 1,
            Change::AddElements { elements, .. } => elements.len(),
            _ => 0,
        }
    }

    fn removed(&self) -> usize {
        match self {
            Change::DeleteRule { .. } => 1,
            Change::FlushChain { contents, .. } => contents.len(),
            Change::DeleteElements { elements, .. } => elements.len(),
            Change::FlushSet { elements, .. } | Change::DeleteSet { elements, .. } => *elements,
            _ => 0,
        }
    }
}

/// A plan in the making. Every step may refer to what the steps before it have made.
struct Building<'a> {
    wanted: &'a Ruleset,
    snapshot: &'a Snapshot,
    plan: Plan,
}

impl<'a> Building<'a> {
    /// Tables come first. One of ours that is of no use is deleted, to be made anew.
    fn tables(&mut self) -> Result<(), Obstacle> {
        for path in self.wanted.tables() {
            let Some(table) = self.snapshot.tables.get(path) else {
                self.plan.changes.push(Change::AddTable(path.clone()));
                continue;
            };
            check_owner(path, table.owner)?;
            if self.installed(path).is_none() {
                own::delete(path, table, &mut self.plan.changes);
                self.plan.changes.push(Change::AddTable(path.clone()));
            }
        }
        Ok(())
    }

    /// The table as far as it can be built upon.
    fn installed(&self, path: &TablePath) -> Option<&'a InstalledTable> {
        let is_own = self.wanted.own_tables.contains(path);
        let table = self.snapshot.tables.get(path)?;
        (!is_own || own::is_fit(path, table, self.wanted)).then_some(table)
    }

    /// Sets come before the rules that look them up.
    fn sets(&mut self) {
        for set in &self.wanted.sets {
            let installed = self.installed(&set.path.table);
            let elements = match installed.and_then(|table| table.sets.get(&set.path.set)) {
                Some(installed) => installed.elements.as_slice(),
                None => {
                    self.plan.changes.push(Change::AddSet(Arc::clone(&set.path), set.kind));
                    &[]
                }
            };
            let difference = ElementDifference::new(&set.elements, elements);
            self.plan.unchanged += difference.unchanged();
            difference.push_onto(set, &mut self.plan.changes);
        }
    }

    fn chains(&mut self) -> Result<(), Obstacle> {
        for chain in &self.wanted.chains {
            let table = self.installed(&chain.path.table);
            let installed = match table.and_then(|table| table.chains.get(&chain.path.chain)) {
                Some(installed) => {
                    check_base(chain, installed)?;
                    installed.rules.as_slice()
                }
                None => {
                    let path = Arc::clone(&chain.path);
                    self.plan.changes.push(Change::AddChain(path, chain.base));
                    &[]
                }
            };
            let difference = Difference::new(chain, installed);
            self.plan.unchanged += difference.unchanged();
            difference.push_onto(&mut self.plan.changes);
        }
        Ok(())
    }

    /// Last goes what the tables of ours hold beside what is wanted.
    fn unwanted(&mut self) {
        let wanted = self.wanted.tables();
        for path in &self.wanted.own_tables {
            let Some(table) = self.installed(path) else { continue };
            if wanted.contains(&path) {
                own::delete_unwanted(path, table, self.wanted, &mut self.plan.changes);
            } else {
                own::delete(path, table, &mut self.plan.changes);
            }
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
