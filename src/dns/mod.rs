//! Looks up the addresses of the names in a policy, over the DNS servers of `/etc/resolv.conf`, and
//! remembers those that were found last. Every answer may be a lie: what is not understood, or cannot be
//! the address of a client, counts as no answer.
//!
//! [`Resolver::look_up`] blocks until its deadline at most. [`KnownNames`] says which addresses a name
//! stands for while it cannot be resolved, and [`Refresh`] when to look it up again.

mod answer;
mod client;
mod error;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod known;
mod message;
mod refresh;
mod resolver;
mod servers;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Found};
pub use error::LookupError;
pub use known::KnownNames;
pub use refresh::Refresh;
pub use resolver::Resolver;
