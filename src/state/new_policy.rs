//! A policy that is to be stored. Its text is written piece by piece and twice, once for the hash in front of
//! it, because there may be a million sources.

use std::fmt;
use std::io;

use sha2::{Digest, Sha256};

use super::digest::Hashed;
use super::{Metadata, STATE_MAX, StateError, StoredPolicy, first_line};
use crate::Policy;

/// A policy to store.
#[derive(Clone, Debug)]
pub struct NewPolicy<'a> {
    policy: &'a Policy,
    metadata: Metadata,
    /// What precedes the policy.
    head: String,
    /// The size of all of it in bytes.
    size: usize,
}

impl<'a> NewPolicy<'a> {
    /// A policy that was put in force so.
    ///
    /// # Errors
    /// [`StateError::TooLarge`].
    pub fn new(policy: &'a Policy, metadata: Metadata) -> Result<NewPolicy<'a>, StateError> {
        let description = format!("{metadata}\n");
        let mut body = Counted {
            hash: Hashed(Sha256::new_with_prefix(&description)),
            size: description.len(),
        };
        policy.write_toml(&mut body);
        let Counted { hash, size } = body;
        let head = first_line(&hash.0.finalize(), size);
        let size = head.len() + size;
        if size > STATE_MAX {
            return Err(StateError::TooLarge);
        }
        Ok(NewPolicy { policy, metadata, head: head + &description, size })
    }

    /// How the policy was put in force.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Whether the stored policy is the same one, however it was put in force.
    pub fn is_stored_as(&self, stored: &StoredPolicy) -> bool {
        let mut rest = Rest(Some(stored.policy_text()));
        self.policy.write_toml(&mut rest);
        rest.0 == Some("")
    }

    /// Writes the bytes to store.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_to(&self, out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(self.head.as_bytes())?;
        let mut out = Output { out, result: Ok(()) };
        self.policy.write_toml(&mut out);
        out.result
    }

    /// The bytes to store.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size);
        // Writing to memory does not fail.
        let _ = self.write_to(&mut bytes);
        bytes
    }
}

/// The hash and the size of what is written.
struct Counted {
    hash: Hashed,
    size: usize,
}

impl fmt::Write for Counted {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.size += text.len();
        self.hash.write_str(text)
    }
}

/// What remains of a text behind what is written; `None` if that is something else.
struct Rest<'a>(Option<&'a str>);

impl fmt::Write for Rest<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.and_then(|rest| rest.strip_prefix(text));
        self.0.map(|_| ()).ok_or(fmt::Error)
    }
}

/// Where text is written to, until the first error.
struct Output<'a> {
    out: &'a mut dyn io::Write,
    result: io::Result<()>,
}

impl fmt::Write for Output<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.result.is_ok() {
            self.result = self.out.write_all(text.as_bytes());
        }
        if self.result.is_ok() { Ok(()) } else { Err(fmt::Error) }
    }
}
