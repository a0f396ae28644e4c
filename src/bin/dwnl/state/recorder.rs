//! The state of a command that puts policies in force. A state directory that cannot be used does not
//! keep it from doing so.

use std::path::{Path, PathBuf};

use dwnl::Policy;

use super::{StateOptions, Store, StoreError};

/// Records the policies that a command puts in force.
pub struct Recorder {
    store: Result<Option<Store>, StoreError>,
    source: PathBuf,
    command: &'static str,
}

impl Recorder {
    /// Opens the state directory for `command`, which reads the policy from `source`. Has to precede the
    /// loss of capabilities: see [`Store::open`].
    pub fn open(options: StateOptions, source: &Path, command: &'static str) -> Recorder {
        Recorder { store: Store::open(options), source: source.to_owned(), command }
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
