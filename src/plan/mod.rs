//! The difference between the ruleset that is desired and what the kernel holds: pure values, no
//! input or output.

mod builder;
mod chain_diff;
mod change;
mod error;
mod lis;
mod owned_table;
mod set_diff;
mod teardown;
#[cfg(test)]
mod tests;

use crate::model::{ForeignTranslations, Ruleset, Snapshot};
use builder::PlanBuilder;
use error::check_owner;
use teardown::Teardown;

pub use change::Change;
pub use error::PlanError;

/// What has to be done to the snapshot's kernel, in the order in which it has to be done. An
/// empty plan sends nothing.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The generation of the snapshot that the plan was made from. It can be committed only while
    /// the kernel is still at this generation.
    pub generation: u32,
    /// The changes.
    pub changes: Vec<Change>,
    /// The number of dwnl's rules and set elements that stay as they are.
    pub unchanged: usize,
    /// How many of these are set elements.
    pub unchanged_elements: usize,
    /// Translations of other programs, because of which the second jump is left out or, where it
    /// is not, that it cuts off.
    pub foreign_translations: Vec<ForeignTranslations>,
}

impl Plan {
    /// The changes that turn the snapshot into the desired ruleset.
    ///
    /// # Errors
    /// What stands in the way, if it is not dwnl's to change.
    pub fn diff(desired: &Ruleset, snapshot: &Snapshot) -> Result<Plan, PlanError> {
        PlanBuilder::plan(desired, snapshot)
    }

    /// The changes that take out of the snapshot all that dwnl put in: the rules of `owned`, and
    /// the chains and tables that dwnl created and that nobody else uses.
    ///
    /// # Errors
    /// What stands in the way, if it is not dwnl's to change.
    pub fn teardown(owned: &Ruleset, snapshot: &Snapshot) -> Result<Plan, PlanError> {
        let changes = Teardown::changes(owned, snapshot)?;
        if !changes.is_empty() {
            for path in owned.tables().into_iter().chain(&owned.owned_tables) {
                check_owner(path, snapshot.tables.get(path).and_then(|table| table.owner))?;
            }
        }
        Ok(Plan { generation: snapshot.generation, changes, ..Plan::default() })
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
