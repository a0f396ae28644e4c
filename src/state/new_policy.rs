//! A policy that is to be stored. Its text is written piece by piece, because there may be a million
//! sources. Its hash, which stands in front of it, is written last.

use std::fmt;
use std::io::{self, Cursor, Seek, SeekFrom, Write};

use sha2::{Digest, Sha256};

use super::{Metadata, STATE_MAX, StateError, StoredPolicy, first_line};
use crate::Policy;

/// A policy to store.
#[derive(Clone, Debug)]
pub struct NewPolicy<'a> {
    policy: &'a Policy,
    metadata: Metadata,
}

impl<'a> NewPolicy<'a> {
    /// A policy that was put in force so.
    pub fn new(policy: &'a Policy, metadata: Metadata) -> NewPolicy<'a> {
        NewPolicy { policy, metadata }
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

    /// Writes the bytes to store at the writer's position, and leaves it behind them.
    ///
    /// # Errors
    /// Those of the writer, and one that holds [`StateError::TooLarge`]. What was written is then not a stored
    /// policy.
    pub fn write_to(&self, out: &mut (impl Write + Seek)) -> io::Result<()> {
        let begin = out.stream_position()?;
        let line = first_line(&<[u8; 32]>::default(), 0);
        out.write_all(line.as_bytes())?;
        let mut body =
            Body { out, hash: Sha256::new(), room: STATE_MAX - line.len(), result: Ok(()) };
        // The body remembers the error itself.
        let _ = fmt::Write::write_fmt(&mut body, format_args!("{}\n", self.metadata));
        self.policy.write_toml(&mut body);
        let Body { out, hash, room, result } = body;
        result?;
        let size = STATE_MAX - line.len() - room;
        out.seek(SeekFrom::Start(begin))?;
        out.write_all(first_line(&hash.finalize(), size).as_bytes())?;
        out.seek(SeekFrom::End(0)).map(|_| ())
    }

    /// The bytes to store.
    ///
    /// # Errors
    /// [`StateError::TooLarge`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, StateError> {
        let mut bytes = Cursor::new(Vec::new());
        // Writing to memory does not fail otherwise.
        self.write_to(&mut bytes).map_err(|_| StateError::TooLarge)?;
        Ok(bytes.into_inner())
    }
}

/// Where the text behind the first line is written to, until the first error.
struct Body<'a, W> {
    out: &'a mut W,
    hash: Sha256,
    /// How many more bytes are permitted.
    room: usize,
    result: io::Result<()>,
}

impl<W: Write> Body<'_, W> {
    fn write(&mut self, text: &str) -> io::Result<()> {
        let too_large = || io::Error::other(StateError::TooLarge);
        self.room = self.room.checked_sub(text.len()).ok_or_else(too_large)?;
        self.hash.update(text);
        self.out.write_all(text.as_bytes())
    }
}

impl<W: Write> fmt::Write for Body<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.result.is_ok() {
            self.result = self.write(text);
        }
        if self.result.is_ok() { Ok(()) } else { Err(fmt::Error) }
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
