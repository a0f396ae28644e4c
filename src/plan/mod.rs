//! The difference between the desired ruleset and what the kernel holds. Pure values, no input or
//! output.

mod builder;
mod chain_diff;
mod change;
mod error;
mod interim;
mod lis;
mod map_diff;
mod owned_table;
mod set_diff;
mod teardown;
#[cfg(test)]
mod tests;
mod transactions;

use crate::model::{ForeignTranslations, Ruleset, Snapshot};
use builder::PlanBuilder;
use error::check_owner;
use teardown::Teardown;

pub use change::Change;
pub use error::PlanError;

/// The changes that a kernel needs, in the order in which they have to be made. An empty plan sends
/// nothing.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The generation of the snapshot that the plan was made from. The plan can be committed only
    /// while the kernel is still at this generation.
    pub generation: u32,
    /// The changes.
    pub changes: Vec<Change>,
    /// How many of the first changes are committed in a transaction of their own, before the others: they
    /// create what these need, and no rule in force leads there.
    pub prepared: usize,
    /// How many of the last changes are committed in a transaction of their own, after the others: they
    /// remove chains that judge packets which the previous rules have let through before.
    pub deferred: usize,
    /// How many of dwnl's rules and set elements remain unchanged.
    pub unchanged: usize,
    /// How many of these are set elements.
    pub unchanged_elements: usize,
    /// Translations of other programs, because of which the RETURN rule is left out or, where it
    /// is not, that it cuts off.
    pub foreign_translations: Vec<ForeignTranslations>,
}

impl Plan {
    /// The changes that turn the snapshot into the desired ruleset, which is what
    /// [`resolve`](crate::resolve) returned.
    ///
    /// # Errors
    /// See [`PlanError`]: something is in the way that dwnl must not change.
    pub fn diff(desired: &Ruleset, snapshot: &Snapshot) -> Result<Plan, PlanError> {
        PlanBuilder::plan(desired, snapshot)
    }

    /// The changes that remove everything that dwnl installed: the rules of `owned`, and the chains
    /// and tables that dwnl created and that no other program uses.
    ///
    /// # Errors
    /// See [`PlanError`]: something is in the way that dwnl must not change.
    pub fn teardown(owned: &Ruleset, snapshot: &Snapshot) -> Result<Plan, PlanError> {
        let changes = Teardown::changes(owned, snapshot)?;
        if !changes.is_empty() {
            for path in owned.tables().into_iter().chain(&owned.owned_tables) {
                check_owner(path, snapshot.tables.get(path).and_then(|table| table.owner))?;
            }
        }
        Ok(Plan { generation: snapshot.generation, changes, ..Plan::default() })
    }

    /// Whether the kernel already holds the desired ruleset.
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
