//! Builders of the chains and rules of dwnl's own table.

use std::sync::Arc;

use super::{base_rule, own_table};
use crate::model::{
    BaseChain, Chain, ChainPath, DesiredRule, NftMatch, NftRule, NftStatement, Ownership,
};

/// A chain of `inet dwnl`.
pub(super) fn chain(
    name: &str,
    base: Option<BaseChain<'static>>,
    rules: Vec<DesiredRule>,
) -> Chain {
    let path = Arc::new(ChainPath { table: own_table(), chain: name.into() });
    super::chain(path, base, Ownership::Exclusive, rules)
}

/// `CONDITIONS counter STATEMENT`
pub(super) fn rule(
    conditions: impl IntoIterator<Item = NftMatch>,
    statement: NftStatement,
) -> DesiredRule {
    base_rule(NftRule::new(conditions, statement))
}

/// `jump CHAIN`
pub(super) fn jump(chain: &str) -> NftStatement {
    NftStatement::Jump(chain.into())
}

/// `goto CHAIN`
pub(super) fn goto(chain: &str) -> NftStatement {
    NftStatement::Goto(chain.into())
}
