//! The names of tables, chains and sets, and where they are.

use std::fmt;
use std::sync::Arc;

use super::Family;

/// A name, of a table, chain, set or interface; cheap to clone.
pub type Name = Arc<str>;

/// Which table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TablePath {
    /// The family.
    pub family: Family,
    /// The table.
    pub table: Name,
}

/// `ip nat`, as nft writes it.
impl fmt::Display for TablePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.family, self.table)
    }
}

/// Which chain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainPath {
    /// The table that it is in.
    pub table: TablePath,
    /// The chain.
    pub chain: Name,
}

/// `ip nat DOCKER-BLOCK`, as nft writes it.
impl fmt::Display for ChainPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.table, self.chain)
    }
}

/// Which set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SetPath {
    /// The table that it is in.
    pub table: TablePath,
    /// The set.
    pub set: Name,
}

/// `inet dwnl cdn-4`, as nft writes it.
impl fmt::Display for SetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.table, self.set)
    }
}
