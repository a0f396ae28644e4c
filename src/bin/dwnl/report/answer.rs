//! What a client of the control socket reads.

use dwnl::policy::Diagnostics;
use serde::Serialize;

use super::check::{Check, ErrorReport};

/// The answer to a request: its result, or an [`ErrorAnswer`].
#[derive(Debug, Serialize)]
pub struct Answer<'a, T> {
    /// The number that the request had.
    pub id: Option<u64>,
    /// Which request it is the answer to; `error` if that failed.
    pub answer: &'static str,
    /// The keys of the result.
    #[serde(flatten)]
    pub result: &'a T,
}

/// Why a request failed.
#[derive(Debug, Serialize)]
pub struct ErrorAnswer<'a> {
    code: ErrorCode,
    message: String,
    errors: Option<Vec<ErrorReport<'a>>>,
}

/// The kind of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request is not one, or is too long.
    InvalidRequest,
    /// A value in the request is wrong.
    InvalidArgument,
    /// The policy has errors.
    InvalidPolicy,
    /// The user has too many connections.
    TooManyClients,
    /// The answer is too long.
    AnswerTooLong,
    /// No guard is installed.
    NoGuard,
    /// There is no room for more grants or bans.
    SetFull,
    /// A policy is on trial.
    OnTrial,
    /// No policy is on trial.
    NoTrial,
    /// Anything else.
    Failed,
}

impl<'a> ErrorAnswer<'a> {
    /// An error without positions in a policy.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> ErrorAnswer<'a> {
        ErrorAnswer { code, message: message.into(), errors: None }
    }

    /// A policy with errors.
    pub fn of_policy(diagnostics: &'a Diagnostics) -> ErrorAnswer<'a> {
        let message = diagnostics.to_string();
        let errors = Some(Check::failed(diagnostics).into_errors());
        ErrorAnswer { code: ErrorCode::InvalidPolicy, message, errors }
    }
}

/// A reload: what it changed, and for how long it is on trial.
#[derive(Debug, Serialize)]
pub struct Reloaded<T> {
    /// Until when the policy has to be confirmed; `None` if it is not on trial.
    pub confirm_until: Option<String>,
    /// What it changed.
    #[serde(flatten)]
    pub done: T,
}

/// Events follow.
#[derive(Debug, Serialize)]
pub struct Subscribed {
    /// The program's version.
    pub version: &'static str,
}
