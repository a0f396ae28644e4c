//! The state of a command that puts policies in force. A state directory that cannot be used does not
//! keep it from doing so.

use std::path::{Path, PathBuf};

use dwnl::Policy;
use dwnl::policy::Diagnostics;

use super::{Fallback, StateOptions, Store, StoreError};

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
