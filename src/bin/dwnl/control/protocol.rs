//! The requests to a running `watch` and its replies: one JSON object on one line each. Both ends are
//! the same program, so this is no interface for others.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Maximum length of a request in bytes.
pub const REQUEST_MAX: usize = 16 * 1024;
/// Maximum length of a reply in bytes: a report of a change of very many rules.
const REPLY_MAX: u64 = 256 * 1024 * 1024;

/// A request to a `watch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// Who are you?
    Status,
    /// Read this policy again and apply it.
    Reload {
        /// The absolute path of the policy, without symbolic links.
        policy: PathBuf,
        /// Whether the report lists the changes.
        verbose: bool,
    },
}

/// A reply of a `watch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// The reply to [`Request::Status`].
    Status(WatchStatus),
    /// What a reload did.
    Report(Report),
    /// The policy is not the one that the watch keeps in force.
    OtherPolicy(WatchStatus),
}

/// A running `watch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchStatus {
    /// The absolute path of its policy.
    pub policy: PathBuf,
    /// Whether it takes a changed policy only on request.
    pub manual: bool,
    /// Whether a policy is on trial that was reloaded over the control socket for programs.
    #[serde(default)]
    pub is_on_trial: bool,
    /// What it has done; `None` if it is of an older version.
    #[serde(default)]
    pub activity: Option<WatchActivity>,
}

/// What a `watch` has done since it started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchActivity {
    /// When it put its first policy in force.
    pub started_at: SystemTime,
    /// How often it repaired the rules, or had them follow what Docker published.
    pub repairs: u64,
    /// The last repair.
    pub last_repair: Option<RepairRecord>,
}

/// A repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairRecord {
    /// When it was finished.
    pub at: SystemTime,
    /// The tables, chains and sets that were repaired.
    pub objects: Vec<String>,
    /// What other programs had done before, one sentence for each different commit; the first ones.
    pub causes: Vec<String>,
}

/// The output of a command that a `watch` has executed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The exit status.
    pub status: u8,
    /// The report for people, with ANSI styles.
    pub text: String,
    /// The report for programs, one object.
    pub json: String,
    /// The warnings.
    pub warnings: Vec<String>,
    /// The text for standard error if it failed, with ANSI styles.
    pub errors: String,
}

/// Writes a message and the end of its line.
pub fn send(stream: &mut UnixStream, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Reads a message; `None` if the other end has closed the connection without one.
pub fn receive<T: DeserializeOwned>(stream: &UnixStream) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    BufReader::new(stream).take(REPLY_MAX).read_until(b'\n', &mut line)?;
    Ok(if line.is_empty() { None } else { Some(serde_json::from_slice(&line)?) })
}
