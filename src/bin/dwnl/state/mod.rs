//! The state directory: the policy in force and the one before it, so that a policy file with errors
//! leaves a last valid policy to fall back to.

mod fallback;
mod grants;
mod location;
mod recorder;
mod store;

pub use fallback::Fallback;
pub use grants::StoredGrant;
pub use location::StateOptions;
pub use recorder::Recorder;
pub use store::{Store, StoreError};
