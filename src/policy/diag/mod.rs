//! Errors in a policy: what is wrong, where in the text, and the excerpt that shows it.

mod diagnostic;
mod issue;
mod issue_list;
mod snippet;
mod suggest;
mod text;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use issue::ParseError;
pub(super) use issue::{Issue, Quoted};
pub(super) use issue_list::IssueList;
pub(super) use suggest::{list, suggest};
pub(super) use text::{Text, count_chars, diagnose, saturate, without_mark};
