//! Rules that other programs wrote: what is shown of them, what they reveal of Docker, and whether
//! they translate addresses.

mod container_port;
mod facts;
mod translation;

use super::expression::{Expression, VerdictCode};
use crate::model::RuleContent;

pub use facts::facts;

/// What is known of a rule that is not of a form that dwnl writes; its expressions only if `has_words`.
pub fn content(expressions: &[Expression], has_words: bool) -> RuleContent {
    let target = expressions.iter().find_map(|expression| match expression {
        Expression::Verdict(VerdictCode::Jump(chain) | VerdictCode::Goto(chain)) => {
            Some(chain.as_ref().into())
        }
        _ => None,
    });
    let translation = translation::translation(expressions);
    let expressions = if has_words { words(expressions) } else { String::new() };
    RuleContent::Foreign { expressions, target, translation }
}

/// The expressions in the words of `nft --debug=netlink`.
fn words(expressions: &[Expression]) -> String {
    expressions.iter().map(Expression::to_string).collect::<Vec<String>>().join(" ")
}
