//! A pending trial, as other commands see it: they ask its guardian.

use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::control::{Endpoint, Peer, ask};

/// The name that the guardian of a trial holds.
pub(super) const CONFIRM: Endpoint = Endpoint("dwnl-confirm");

/// How long a guardian may take to answer; restoring takes the longest.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A request to a guardian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum TrialRequest {
    /// The policy stays in force.
    Confirm,
    /// Restore the previous rules.
    Rollback,
}

/// The reply of a guardian.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The policy stays in force.
    Confirmed,
    /// The previous rules are restored.
    Restored {
        /// What happened to flows, and what could not be restored, as sentences.
        notes: Vec<String>,
    },
    /// The request could not be served.
    Failed {
        /// Why.
        error: String,
    },
}

/// A pending trial in a network namespace.
#[derive(Debug)]
pub struct PendingTrial {
    stream: UnixStream,
    guardian: Peer,
}

/// The trial that is pending in a network namespace (`None`: that of the program), if any.
pub fn pending_trial(namespace: Option<&Path>) -> Option<PendingTrial> {
    // A namespace that cannot be entered has no trial: the engine reports the reason.
    let stream = CONFIRM.connect(namespace).ok().flatten()?;
    let guardian = Peer::of(&stream).ok().filter(|peer| peer.may_be_watch())?;
    Some(PendingTrial { stream, guardian })
}

impl PendingTrial {
    /// Sends a request to the guardian and waits for its verdict.
    ///
    /// # Errors
    /// If the trial has ended meanwhile, or its guardian does not answer.
    pub fn request(self, request: TrialRequest) -> anyhow::Result<Verdict> {
        const ENDED: [io::ErrorKind; 3] = [
            io::ErrorKind::UnexpectedEof,
            io::ErrorKind::BrokenPipe,
            io::ErrorKind::ConnectionReset,
        ];
        match ask(self.stream, &request, TIMEOUT) {
            Ok(verdict) => Ok(verdict),
            Err(error) if ENDED.contains(&error.kind()) => {
                bail!("the trial has just ended; `dwnl plan` shows which policy is in force")
            }
            Err(error) => Err(error).context("the guardian of the trial does not answer"),
        }
    }
}

/// `a policy is on trial in this network namespace (guardian: process 4711)`
impl fmt::Display for PendingTrial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a policy is on trial in this network namespace (guardian: {})", self.guardian)
    }
}
