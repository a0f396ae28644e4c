//! Reads and changes grants and bans by hand. They are elements of sets that every policy with the guard
//! has, so no rule changes, and no ruleset has to be read.

mod carry;
mod change;
mod cut;
mod read;

use std::path::Path;

use super::connection::Connection;
use super::{Engine, Error, error, opened_in};
use crate::model::{AddressSpec, Grant, GrantAction, GrantFill, Ports, Recording};
use crate::netlink::Socket;

pub(super) use carry::Carried;
pub(super) use read::GrantSets;

/// What is granted and banned by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantReport {
    /// Whether a guard is installed that looks grants and bans up; see [`Recording`].
    pub state: Recording,
    /// Grants and bans, the next to end first and those without an end last.
    pub grants: Vec<Grant>,
    /// How full each set is.
    pub fill: Vec<GrantFill>,
    /// Whether all of them were read, and not only the first ones of a large set.
    pub is_complete: bool,
}

/// A netlink socket to the sets of grants and bans in one network namespace: the short way for a program
/// that only allows and denies by hand. Needs CAP_NET_ADMIN.
pub struct GrantTable {
    connection: Connection,
}

impl GrantTable {
    /// Opens the socket in the network namespace of the calling thread.
    ///
    /// # Errors
    /// [`Error::NoNfTables`] and [`Error::Socket`] if it cannot be opened.
    pub fn open() -> Result<GrantTable, Error> {
        let socket = Socket::open().map_err(error::open_error)?;
        Ok(GrantTable { connection: Connection::new(Box::new(socket)) })
    }

    /// Opens the socket in the network namespace that `path` refers to; see [`Engine::open_in`].
    ///
    /// # Errors
    /// As [`GrantTable::open`], and [`Error::Namespace`].
    pub fn open_in(path: &Path) -> Result<GrantTable, Error> {
        opened_in(path, GrantTable::open)
    }

    /// Adds grants and bans in a few transactions. One for a source and ports for which there is one
    /// already replaces that, whichever lasts longer. Where networks or ranges overlap otherwise, the one
    /// that lasts longer counts.
    ///
    /// # Errors
    /// [`Error::NoGuard`] where no guard is installed, [`Error::TooManyGrants`] if a set is full, any
    /// other [`Error`]. Some may have been added, each of them in whole.
    pub fn add(&mut self, grants: &[Grant]) -> Result<(), Error> {
        change::add(&mut self.connection, grants)
    }

    /// Ends all grants and bans that are for nothing besides these sources and ports (`None`: every
    /// port), or with an `action` only the grants, or only the bans. Returns what has ended.
    ///
    /// # Errors
    /// As [`GrantTable::add`].
    pub fn revoke(
        &mut self,
        sources: &[(AddressSpec, Option<Ports>)],
        action: Option<GrantAction>,
    ) -> Result<Vec<Grant>, Error> {
        change::revoke(&mut self.connection, sources, action)
    }

    /// Ends all grants and bans. Returns how many there were.
    ///
    /// # Errors
    /// As [`GrantTable::add`].
    pub fn clear(&mut self) -> Result<usize, Error> {
        change::clear(&mut self.connection)
    }

    /// Reads all grants and bans. A set is dumped by the kernel in a time that grows with the square of
    /// its size: about a tenth of a second for 100,000.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn read(&mut self) -> Result<GrantReport, Error> {
        read::read(&mut self.connection, usize::MAX, None)
    }
}

impl Engine {
    /// Maximum number of elements of each set that [`Engine::grant_summary`] reads.
    pub const GRANTS_SUMMARY: usize = 16_384;

    /// Reads all grants and bans, as [`GrantTable::read`] does.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn grants(&mut self) -> Result<GrantReport, Error> {
        read::read(&mut self.connections[0], usize::MAX, self.grant_sets.as_ref())
    }

    /// Reads the grants and bans, of a large set only the first ones, so that it takes no time to speak
    /// of. An engine for another network namespace than the calling thread's reads all.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn grant_summary(&mut self) -> Result<GrantReport, Error> {
        if self.is_elsewhere {
            return self.grants();
        }
        // A dump ends only when it is read to its end, or with its socket.
        let mut table = GrantTable::open()?;
        read::read(&mut table.connection, Engine::GRANTS_SUMMARY, self.grant_sets.as_ref())
    }
}
