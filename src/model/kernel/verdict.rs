//! The verdicts of rules and of verdict maps.

use crate::model::Name;

/// What happens to a packet, or where it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RuleVerdict {
    Accept,
    Drop,
    Continue,
    Return,
    Jump(Name),
    Goto(Name),
    /// To a program, by `NF_QUEUE`.
    Queue,
}
