//! What an engine knows of the kernel's sets, for an engine of a later process: while the ruleset is the
//! same and at the same generation, no element has to be dumped.

mod format;
mod identity;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{Engine, Error};

pub(super) use format::Header;
pub(super) use identity::Identity;

/// How long a generation is unique. The kernel's number returns to the same value after 2³² commits. The
/// smallest takes more than 4 µs (Linux 6.18), so that all of them take five hours.
const UNIQUE: Duration = Duration::from_secs(2 * 3600);

/// The elements of dwnl's sets as they were at one generation of one ruleset, in a form that can be stored;
/// and whether this kernel can match the cgroup of a socket, so that it need not be probed again.
///
/// They belong to one start of the kernel, one network namespace and one generation;
/// [`Engine::assume_sets`] does not use them for any other. It believes them: whoever can write the bytes
/// can keep an engine from finding elements that are missing or too many. So store them where only those
/// can write who may change the ruleset as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSets {
    header: Header,
    bytes: Vec<u8>,
}

impl KnownSets {
    /// Reads what [`KnownSets::as_bytes`] returned; `None` if it is damaged or from another version of dwnl.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<KnownSets> {
        let header = Header::read(&bytes)?;
        Some(KnownSets { header, bytes })
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Engine {
    /// Takes over what another engine knew of the sets, and returns whether it still holds: while the
    /// kernel has not been started again, and in the same network namespace nobody has committed anything
    /// since. Otherwise the sets are read as ever. Sets of which nothing is known are read in any case, and
    /// so is everything else: tables, chains and rules.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn assume_sets(&mut self, known: &KnownSets) -> Result<bool, Error> {
        let KnownSets { header, bytes } = known;
        if self.identity.as_ref() != Some(&header.identity) {
            return Ok(false);
        }
        if let Some(matches) = header.matches_sockets {
            (self.socket_match, self.probed) = (Some(matches), Some(matches));
        }
        if !is_recent(header.checked, identity::since_start(), UNIQUE) {
            return Ok(false);
        }
        if self.connections[0].generation()? != header.generation {
            return Ok(false);
        }
        let Some(sets) = format::read_sets(bytes) else { return Ok(false) };
        self.set_cache.assume(header.generation, sets);
        self.assumed = Some(header.clone());
        Ok(true)
    }

    /// What the engine knows of the sets, to be stored for [`Engine::assume_sets`]. `None` if the ruleset
    /// has changed since the engine knew them, if it knows nothing besides what it assumed, or if the
    /// kernel cannot tell network namespaces apart (before Linux 5.14).
    pub fn known_sets(&mut self) -> Option<KnownSets> {
        let (generation, sets) = self.set_cache.known();
        let checked = identity::since_start()?;
        let is_stored = |assumed: &Header| {
            (assumed.generation, assumed.matches_sockets) == (generation, self.probed)
                && is_recent(assumed.checked, Some(checked), UNIQUE / 2)
        };
        let knows_nothing = sets.is_empty() && self.probed.is_none();
        if knows_nothing || self.assumed.as_ref().is_some_and(is_stored) {
            return None;
        }
        let identity = self.identity.clone()?;
        if self.connections[0].generation().ok()? != generation {
            return None;
        }
        let header = Header { identity, checked, generation, matches_sockets: self.probed };
        let bytes = format::write(&header, &sets);
        Some(KnownSets { header, bytes })
    }
}

/// Whether a moment is at most so long ago, and not later than now.
fn is_recent(then: Duration, now: Option<Duration>, limit: Duration) -> bool {
    now.and_then(|now| now.checked_sub(then)).is_some_and(|age| age <= limit)
}
