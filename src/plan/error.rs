//! Why a plan cannot be made.

use crate::model::{Chain, ChainPath, InstalledChain, Name, TablePath};

/// Why a plan cannot be made: something is in the way that dwnl must not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Another program has reserved the table for itself.
    #[error(
        "table {table} is owned by another program (the one with netlink port {port}), and the \
         kernel lets nobody else change it"
    )]
    TableOwned {
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
    ChainIsBaseChain {
        /// The chain.
        chain: ChainPath,
        /// Where it is attached.
        base: String,
    },
    /// A chain of iptables is not attached where iptables expects it.
    #[error("chain {chain} is {found}, where iptables has {expected}: rename or delete it")]
    WrongHook {
        /// The chain.
        chain: ChainPath,
        /// Where it is attached.
        found: String,
        /// Where it should be.
        expected: String,
    },
    /// A foreign rule jumps to a chain that is to be deleted.
    #[error(
        "chain {chain} cannot be deleted, because rule {position} of chain {referrer}, which is \
         not dwnl's, jumps to it: delete that rule first"
    )]
    ChainInUse {
        /// The chain.
        chain: ChainPath,
        /// The chain of the rule that jumps to it, in the same table.
        referrer: Name,
        /// The position of that rule, from 1.
        position: usize,
    },
}

/// Only its owner can change a table.
pub(super) fn check_owner(path: &TablePath, owner: Option<u32>) -> Result<(), PlanError> {
    match owner {
        Some(port) => Err(PlanError::TableOwned { table: path.clone(), port }),
        None => Ok(()),
    }
}

/// A chain that rules jump to must not be a base chain, and a base chain must be attached where it
/// should be.
pub(super) fn check_base(desired: &Chain, installed: &InstalledChain) -> Result<(), PlanError> {
    let chain = desired.path.as_ref().clone();
    match (desired.base, installed.base()) {
        (None, Some(base)) => Err(PlanError::ChainIsBaseChain { chain, base: base.to_string() }),
        (Some(expected), found) if found != Some(expected) => Err(PlanError::WrongHook {
            chain,
            found: found
                .map_or("not hooked in".to_owned(), |found| format!("hooked in as {found}")),
            expected: expected.to_string(),
        }),
        _ => Ok(()),
    }
}
