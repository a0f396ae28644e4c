//! The names of tables, chains and sets in reports.

use std::fmt::{self, Display};

use dwnl::model::{ChainPath, Family, SetPath, TablePath};
use serde::Serialize;

use super::format::{self, Escaped};

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TableName<'a> {
    #[serde(serialize_with = "format::display")]
    pub family: Family,
    pub table: &'a str,
}

/// A chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ChainName<'a> {
    #[serde(flatten)]
    pub table: TableName<'a>,
    pub chain: &'a str,
}

/// A set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SetName<'a> {
    #[serde(flatten)]
    pub table: TableName<'a>,
    pub set: &'a str,
}

/// A table, chain or set. `Display` is nft's notation: `ip nat PREROUTING`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object<'a> {
    Table(TableName<'a>),
    Chain(ChainName<'a>),
    Set(SetName<'a>),
}

impl<'a> From<&'a TablePath> for TableName<'a> {
    fn from(path: &'a TablePath) -> TableName<'a> {
        TableName { family: path.family, table: &path.table }
    }
}

impl<'a> From<&'a ChainPath> for ChainName<'a> {
    fn from(path: &'a ChainPath) -> ChainName<'a> {
        ChainName { table: (&path.table).into(), chain: &path.chain }
    }
}

impl<'a> From<&'a SetPath> for SetName<'a> {
    fn from(path: &'a SetPath) -> SetName<'a> {
        SetName { table: (&path.table).into(), set: &path.set }
    }
}

impl Display for TableName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.family, Escaped(self.table))
    }
}

impl Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::Table(table) => write!(f, "{table}"),
            Object::Chain(ChainName { table, chain: name })
            | Object::Set(SetName { table, set: name }) => write!(f, "{table} {}", Escaped(name)),
        }
    }
}
