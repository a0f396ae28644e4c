//! The state of a command that puts policies in force. A state directory that cannot be used does not
//! keep it from doing so.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dwnl::engine::KnownSets;
use dwnl::model::Grant;
use dwnl::policy::Diagnostics;
use dwnl::{Engine, Policy};

use super::{Fallback, KnownContainers, StateOptions, Store, StoreError};

/// Records the policies that a command puts in force.
pub struct Recorder {
    store: Result<Option<Store>, StoreError>,
    source: PathBuf,
    command: &'static str,
    /// Whether the last valid policy replaces one with errors.
    may_fall_back: bool,
}

impl Recorder {
    /// Opens the state directory for `command`, which reads the policy from `source`. Has to precede the
    /// loss of capabilities: see [`Store::open`].
    pub fn open(options: StateOptions, source: &Path, command: &'static str) -> Recorder {
        let store = Store::open(options);
        Recorder { store, source: source.to_owned(), command, may_fall_back: false }
    }

    /// Sets whether the last valid policy replaces one with errors.
    pub fn falling_back(self, may_fall_back: bool) -> Recorder {
        Recorder { may_fall_back, ..self }
    }

    /// The last valid policy, to be put in force in place of one with these errors. `None` if the policy
    /// was not to be replaced.
    ///
    /// # Errors
    /// The reason why there is no last valid policy, as text.
    pub fn fall_back(&self, errors: &Diagnostics) -> Option<Result<(Policy, Fallback), String>> {
        self.may_fall_back.then(|| match &self.store {
            Ok(Some(store)) => match store.last_valid() {
                Ok(Some((policy, metadata))) => {
                    Ok((policy, Fallback::new(errors.clone(), &metadata)))
                }
                Ok(None) => Err("none is stored yet".to_owned()),
                Err(error) => Err(error.to_string()),
            },
            Ok(None) => {
                Err("none is stored in other network namespaces than the host's".to_owned())
            }
            Err(error) => Err(error.to_string()),
        })
    }

    /// The state directory, if state is kept and the directory can be used.
    pub fn store(&self) -> Option<&Store> {
        self.store.as_ref().ok()?.as_ref()
    }

    /// The policy that was put in force last, if it is stored and can be read.
    pub fn applied(&self) -> Option<Policy> {
        self.store()?.last_valid().ok()?.map(|(policy, _)| policy)
    }

    /// Has the engine add the grants and bans that are kept, when it creates their sets.
    pub fn restore_grants(&self, engine: &mut Engine) {
        engine.restore_grants(self.grants());
    }

    /// The grants and bans that are kept and have not ended.
    pub fn grants(&self) -> Vec<Grant> {
        let now = SystemTime::now();
        let store = self.store.as_ref().ok().and_then(Option::as_ref);
        let stored = store.and_then(|store| store.grants().ok()).unwrap_or_default();
        stored.iter().filter_map(|it| it.present(now)).collect()
    }

    /// What changes whenever what is kept changes.
    pub fn grants_version(&self) -> Option<SystemTime> {
        self.store.as_ref().ok()?.as_ref()?.grants_version()
    }

    /// The containers that were known last, if they are stored and can be read.
    pub fn known_containers(&self) -> Option<KnownContainers> {
        self.store.as_ref().ok()?.as_ref()?.known_containers().ok()?
    }

    /// Stores the containers.
    ///
    /// # Errors
    /// The reason why they are not stored, as text.
    pub fn record_containers(&self, found: &KnownContainers) -> Result<(), String> {
        match &self.store {
            Ok(Some(store)) => store.record_containers(found).map_err(|error| error.to_string()),
            Ok(None) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Stores what is known of the kernel's sets beyond what is stored.
    pub fn record_sets(&self, known: Option<KnownSets>) {
        if let Some((store, known)) = self.store().zip(known) {
            store.record_sets(&known);
        }
    }

    /// Notes that the policy is in force.
    ///
    /// # Errors
    /// The reason why it is not stored, as text.
    pub fn record(&self, policy: &Policy) -> Result<(), String> {
        match &self.store {
            Ok(Some(store)) => {
                store.record(policy, &self.source, self.command).map_err(|error| error.to_string())
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}
