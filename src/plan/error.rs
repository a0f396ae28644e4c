//! Why no plan exists: foreign objects that conflict with the desired ruleset.

use crate::model::{Chain, ChainPath, InstalledChain, Name, TablePath};

/// Why no plan exists: a foreign object conflicts with the desired ruleset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Another program owns the table exclusively (`NFT_TABLE_F_OWNER`).
    #[error(
        "table {table} is owned by another program (netlink port ID {port}); only its owner can \
         change it"
    )]
    TableOwned {
        /// The table.
        table: TablePath,
        /// The owner's netlink port ID, often its process ID.
        port: u32,
    },
    /// A chain that rules must jump to is a base chain. Rules cannot jump to base chains.
    #[error(
        "chain {chain} exists as a base chain ({base}), and rules cannot jump to base chains; rename \
         or delete it"
    )]
    ChainIsBaseChain {
        /// The chain.
        chain: ChainPath,
        /// Its type, hook and priority.
        base: String,
    },
    /// A base chain of iptables has another type, hook or priority than iptables gives it.
    #[error("chain {chain} is {found}, but iptables expects {expected}; rename or delete it")]
    WrongHook {
        /// The chain.
        chain: ChainPath,
        /// Its type, hook and priority.
        found: String,
        /// The type, hook and priority that iptables gives it.
        expected: String,
    },
    /// A foreign rule jumps to a chain that must be deleted.
    #[error(
        "cannot delete chain {chain}: rule {position} of chain {referrer}, which is not dwnl's, \
         jumps to it; delete that rule first"
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

/// Only its owner can change a table that has one.
pub(super) fn check_owner(path: &TablePath, owner: Option<u32>) -> Result<(), PlanError> {
    match owner {
        Some(port) => Err(PlanError::TableOwned { table: path.clone(), port }),
        None => Ok(()),
    }
}

/// A chain that rules jump to must not be a base chain, and a base chain must have the expected
/// type, hook and priority.
pub(super) fn check_base(desired: &Chain, installed: &InstalledChain) -> Result<(), PlanError> {
    let chain = desired.path.as_ref().clone();
    match (desired.base, installed.base()) {
        (None, Some(base)) => Err(PlanError::ChainIsBaseChain { chain, base: base.to_string() }),
        (Some(expected), found) if found != Some(expected) => Err(PlanError::WrongHook {
            chain,
            found: found.map_or("not a base chain".to_owned(), |found| found.to_string()),
            expected: expected.to_string(),
        }),
        _ => Ok(()),
    }
}
