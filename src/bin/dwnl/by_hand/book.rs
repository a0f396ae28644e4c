//! The grants and bans in the kernel, and those that are kept in the state directory.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, bail};
use dwnl::engine::{GrantReport, GrantTable};
use dwnl::model::{Grant, GrantAction};

use super::Target;
use crate::state::{Store, StoreError, StoredGrant};

/// The grants and bans of a network namespace.
pub struct Book {
    table: GrantTable,
    store: Result<Option<Store>, StoreError>,
}

impl Book {
    /// Opens them in a network namespace (`None`: that of the thread). Has to precede the loss of
    /// capabilities if a namespace is named.
    ///
    /// # Errors
    /// If the kernel's tables cannot be reached.
    pub fn open(
        namespace: Option<&Path>,
        store: Result<Option<Store>, StoreError>,
    ) -> Result<Book, dwnl::Error> {
        let table = match namespace {
            Some(path) => GrantTable::open_in(path)?,
            None => GrantTable::open()?,
        };
        Ok(Book { table, store })
    }

    /// Reads them.
    ///
    /// # Errors
    /// If the kernel's sets cannot be read.
    pub fn read(&mut self) -> Result<GrantReport, dwnl::Error> {
        self.table.read()
    }

    /// Those that are kept, and a warning if they cannot be read.
    pub fn stored(&self) -> (Vec<StoredGrant>, Option<String>) {
        let stored = self.store.as_ref().map_err(ToString::to_string);
        let stored = stored.and_then(|store| {
            let grants = store.as_ref().map(Store::grants).transpose();
            grants.map_err(|error| error.to_string())
        });
        match stored {
            Ok(stored) => (stored.unwrap_or_default(), None),
            Err(error) => (Vec::new(), Some(format!("cannot read the state: {error}"))),
        }
    }

    /// Adds grants and bans, and keeps them if they are to `persist`.
    ///
    /// # Errors
    /// If they cannot be added, or be kept.
    pub fn add(&mut self, grants: &[Grant], persist: bool) -> anyhow::Result<()> {
        if grants.is_empty() {
            return Ok(());
        }
        self.table.add(grants)?;
        // What was stored for the same source and ports is replaced as well.
        let is_same = |stored: &StoredGrant, grant: &Grant| {
            stored.action() == grant.action
                && (stored.source, stored.ports) == (grant.source, grant.ports)
        };
        match &self.store {
            Ok(Some(store)) if persist => {
                let now = SystemTime::now();
                store.change_grants(|stored| {
                    stored.retain(|it| !grants.iter().any(|grant| is_same(it, grant)));
                    stored.extend(grants.iter().map(|grant| StoredGrant::new(grant, now)));
                })
            }
            Ok(Some(store)) => store.change_grants(|stored| {
                stored.retain(|it| !grants.iter().any(|grant| is_same(it, grant)));
            }),
            Ok(None) if persist => {
                bail!("in force, but not stored: there is no state directory for this namespace")
            }
            Err(error) if persist => bail!("in force, but not stored: {error}"),
            Ok(None) | Err(_) => return Ok(()),
        }
        .context("in force, but not stored")
    }

    /// Warnings about bans that beat the grants.
    ///
    /// # Errors
    /// If the kernel's sets cannot be read.
    pub fn bans_of(&mut self, grants: &[Grant]) -> Result<Vec<String>, dwnl::Error> {
        let present = self.table.read()?.grants;
        let bans = present.iter().filter(|it| it.action == GrantAction::Deny);
        let beats = |ban: &&Grant| grants.iter().any(|grant| grant.overlaps(ban));
        let sentence = |ban: &Grant| format!("{ban} by hand, which a grant does not change");
        Ok(bans.filter(beats).map(sentence).collect())
    }

    /// Ends the grants and bans for these targets, or with an `action` only the grants, or only the bans.
    /// Returns what has ended.
    ///
    /// # Errors
    /// If they cannot be ended, or go on being kept.
    pub fn revoke(
        &mut self,
        targets: &[Target],
        action: Option<GrantAction>,
    ) -> anyhow::Result<Vec<Grant>> {
        let places: Vec<_> = targets.iter().flat_map(Target::places).collect();
        let ended = self.table.revoke(&places, action)?;
        self.forget(|stored| {
            action.is_none_or(|action| stored.action() == action)
                && places.iter().any(|(source, ports)| stored.grant().is_within(source, *ports))
        })?;
        Ok(ended)
    }

    /// Warnings about what goes on for the source although it was revoked.
    ///
    /// # Errors
    /// If the kernel's sets cannot be read.
    pub fn left_of(&mut self, target: &Target) -> Result<Vec<String>, dwnl::Error> {
        let left = self.table.read()?.grants;
        let left = left.iter().filter(|it| {
            let same = |ports| Grant { source: target.source, ports, ..(*it).clone() };
            target.places().iter().any(|(_, ports)| it.overlaps(&same(*ports)))
        });
        Ok(left.map(|it| format!("{it} by hand goes on")).collect())
    }

    /// Ends all. Returns how many there were.
    ///
    /// # Errors
    /// If they cannot be ended, or go on being kept.
    pub fn clear(&mut self) -> anyhow::Result<usize> {
        let count = self.table.clear()?;
        self.forget(|_| true)?;
        Ok(count)
    }

    /// Takes what was revoked out of the store.
    fn forget(&self, is_revoked: impl Fn(&StoredGrant) -> bool) -> anyhow::Result<()> {
        match &self.store {
            Ok(Some(store)) => {
                store.change_grants(|stored| stored.retain(|it| !is_revoked(it))).context(
                    "ended, but still stored, so that it begins again when the rules are installed anew",
                )
            }
            Ok(None) | Err(_) => Ok(()),
        }
    }
}
