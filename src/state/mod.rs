//! The form in which a policy is stored, to be put in force again when its file is broken. This module
//! only converts between values and bytes; the program reads and writes the files.
//!
//! The form is that of a policy file. Its first line is `# dwnl-state 1 sha256:HASH LENGTH`, for the
//! `LENGTH` bytes behind it, a number of nine digits. Comments follow that describe the policy, up to an
//! empty line, and then the policy with its source lists resolved.

mod digest;
mod error;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod metadata;
mod new_policy;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::Policy;
use crate::policy::Diagnostics;

pub use digest::{SourceDigest, policy_digest};
pub use error::StateError;
pub use new_policy::NewPolicy;

/// The maximum size of a stored policy in bytes: 256 MiB.
pub const STATE_MAX: usize = 256 << 20;

/// What every stored policy begins with.
const MAGIC: &str = "# dwnl-state ";
/// The version of the form.
const VERSION: &str = "1";

/// A policy that was put in force, with the bytes that are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPolicy {
    metadata: Metadata,
    /// All of it, the first line included.
    text: String,
    /// Where the policy begins.
    policy: usize,
}

/// How a policy was put in force.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// The path of the policy file; `-` for standard input.
    pub source: PathBuf,
    /// When it was put in force, in whole seconds.
    pub applied_at: SystemTime,
    /// The command that did it: `apply` or `watch`.
    pub command: String,
    /// The ID of the user that the command ran as.
    pub uid: u32,
    /// The ID of the user who had logged in to run it, if it is known.
    pub login_uid: Option<u32>,
}

impl StoredPolicy {
    /// Checks stored bytes.
    ///
    /// # Errors
    /// Any [`StateError`]: nothing of damaged bytes is used.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<StoredPolicy, StateError> {
        if bytes.len() > STATE_MAX {
            return Err(StateError::TooLarge);
        }
        let text = String::from_utf8(bytes).map_err(|_| StateError::NotUtf8)?;
        let body = unseal(&text)?;
        let (metadata, policy) = body.split_once("\n\n").ok_or(StateError::Metadata("end"))?;
        let policy = text.len() - policy.len();
        Ok(StoredPolicy { metadata: metadata::parse(metadata)?, text, policy })
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// How the policy was put in force.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The policy as [`Policy::to_toml`] wrote it. Equal policies have the same text.
    pub fn policy_text(&self) -> &str {
        self.text.get(self.policy..).unwrap_or_default()
    }

    /// The policy. `name` is the name that its locations give the stored file.
    ///
    /// # Errors
    /// The errors in the policy. There are none, unless another version of dwnl wrote it.
    pub fn policy(&self, name: &str) -> Result<Policy, Diagnostics> {
        // Together with the lines before the policy, which are comments, locations are those in the
        // file.
        Policy::parse(&self.text, name, Path::new(""))
    }
}

impl Metadata {
    /// The metadata of a policy that `command` has just put in force.
    pub fn new(source: &Path, command: &str, applied_at: SystemTime, uid: u32) -> Metadata {
        let applied_at = metadata::whole_seconds(applied_at);
        let (source, command) = (source.to_owned(), command.to_owned());
        Metadata { source, applied_at, command, uid, login_uid: None }
    }

    /// The same metadata with the user who had logged in.
    #[must_use]
    pub fn with_login_uid(self, login_uid: Option<u32>) -> Metadata {
        Metadata { login_uid, ..self }
    }
}

/// The line before a body of this hash and length. It is as long for every body.
fn first_line(hash: &[u8], length: usize) -> String {
    format!("{MAGIC}{VERSION} sha256:{} {length:09}\n", hex(hash))
}

/// The body with the first line before it.
#[cfg(any(test, fuzzing))]
fn seal(body: &str) -> String {
    first_line(&Sha256::digest(body), body.len()) + body
}

/// The text behind the first line, if it is what that says.
fn unseal(text: &str) -> Result<&str, StateError> {
    let (header, body) = text.split_once('\n').ok_or(StateError::NotState)?;
    let mut words = header.strip_prefix(MAGIC).ok_or(StateError::NotState)?.split(' ');
    let version = words.next().unwrap_or_default();
    if version != VERSION {
        return Err(StateError::Version(
            version.chars().take(16).flat_map(char::escape_debug).collect(),
        ));
    }
    let expected = words.next().and_then(|word| word.strip_prefix("sha256:"));
    let length = words.next().and_then(|word| word.parse().ok());
    let (Some(expected), Some(length), None) = (expected, length, words.next()) else {
        return Err(StateError::NotState);
    };
    if body.len() != length {
        return Err(StateError::Length { expected: length, found: body.len() });
    }
    if hash(body) != expected { Err(StateError::Checksum) } else { Ok(body) }
}

/// A number that two policies have in common if and only if [`Policy::to_toml`] writes the same, as far as
/// SHA-256 can tell. It takes less time than the text, and may be another one in each version of dwnl.
pub fn fingerprint(policy: &Policy) -> [u8; 32] {
    let (text, numbers) = policy.to_compact();
    let mut hash = Sha256::new();
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
    hash.update(numbers);
    hash.finalize().into()
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
