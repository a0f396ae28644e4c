//! `dwnl allow`, `deny`, `grants` and `revoke`: sources that are let in or kept out by hand, beside the
//! policy, until the kernel ends it.

mod change;
mod list;
mod stream;

pub use change::{allow, deny, revoke};
pub use list::grants;
