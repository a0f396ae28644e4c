//! Who may reach which port, read from rules: from those that a policy compiles to, and from those that
//! the kernel holds. Pure values, no input or output.
//!
//! Both are read in the same terms, so that the difference says what a change of rules means: which
//! sources gain access and which lose it.

mod addresses;
mod cause;
mod change;
mod condition;
mod delta;
mod denial;
mod diff;
mod interfaces;
mod net;
mod permit;
mod protection;
mod sources;
#[cfg(test)]
mod tests;
mod view;

use std::collections::HashMap;
use std::sync::Arc;

use crate::compile::{flat_ruleset, flat_snapshot};
use crate::model::{Ruleset, Snapshot};
use permit::PermitReader;
use sources::Sources;
use view::View;

pub use addresses::Addresses;
pub use cause::Cause;
pub use change::{AccessChange, EntryChange};
pub use diff::AccessDiff;
pub use interfaces::Interfaces;
pub use permit::Permit;
pub use protection::Protection;

/// Who may reach which port.
///
/// Two values are equal if the same entries allow the same addresses, however their rules and sets are
/// divided and ordered.
#[derive(Clone, Debug, Default)]
pub struct Access {
    protection: Protection,
    /// In the order of the rules; each permit once.
    permits: Vec<(Permit, Arc<Sources>)>,
}

impl Access {
    /// The access that a ruleset gives, which is what [`resolve`](crate::resolve) returned.
    pub fn of_ruleset(ruleset: &Ruleset) -> Access {
        Access::of(&View::of_ruleset(&flat_ruleset(ruleset)))
    }

    /// The access that the installed rules give. Rules of another form than dwnl writes are not part of
    /// it: [`Protection::foreign_rules`] counts them.
    pub fn of_snapshot(snapshot: &Snapshot) -> Access {
        Access::of(&View::of_snapshot(&flat_snapshot(snapshot)))
    }

    fn of(view: &View) -> Access {
        let denials = PermitReader::read_denials(view);
        let permits = denial::subtract(PermitReader::read(view), &denials);
        Access { protection: Protection::of(view), permits }
    }

    /// Whether ports are blocked at all, and by what.
    pub fn protection(&self) -> Protection {
        self.protection
    }

    /// The permits, in the order of the rules, each with its sources.
    pub fn permits(&self) -> impl Iterator<Item = (&Permit, Addresses)> {
        self.permits.iter().map(|(permit, sources)| (permit, sources.addresses()))
    }

    /// The difference between this and the access after a change of the rules. As long as nothing is
    /// blocked, permits allow nothing that would not be open without them: then all permits afterwards
    /// are part of the difference.
    pub fn diff(&self, after: &Access) -> AccessDiff {
        let is_new = !self.protection.is_enforced && after.protection.is_enforced;
        let permits = if is_new { Vec::new() } else { self.permits.clone() };
        diff::diff(&Access { permits, protection: self.protection }, after)
    }

    fn index(&self) -> HashMap<&Permit, &Arc<Sources>> {
        self.permits.iter().map(|(permit, sources)| (permit, sources)).collect()
    }
}

impl PartialEq for Access {
    fn eq(&self, other: &Access) -> bool {
        let theirs: HashMap<&Permit, Addresses> = other.permits().collect();
        self.protection == other.protection
            && self.permits.len() == other.permits.len()
            && self.permits().all(|(permit, sources)| theirs.get(permit) == Some(&sources))
    }
}

impl Eq for Access {}
