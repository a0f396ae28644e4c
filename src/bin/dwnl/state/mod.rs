//! The state directory: the policy in force and the one before it, so that a policy file with errors
//! leaves a last valid policy to fall back to; and the addresses that were found last for its names.

mod fallback;
mod grants;
mod known_containers;
mod location;
#[cfg(feature = "dns")]
mod names;
mod recorder;
mod store;

pub use fallback::Fallback;
pub use grants::StoredGrant;
pub use known_containers::KnownContainers;
pub use location::StateOptions;
pub use recorder::Recorder;
pub use store::{Store, StoreError};
