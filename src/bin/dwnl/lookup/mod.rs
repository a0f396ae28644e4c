//! What a policy names and does not say itself is looked up before it is compiled. Until it is known it
//! allows nobody.

pub mod containers;
#[cfg(feature = "dns")]
mod dns;
#[cfg(not(feature = "dns"))]
#[path = "without_dns.rs"]
mod dns;

pub use dns::{NameNotice, Names, WatchedNames};

/// Whether names are looked up although addresses are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// All names are looked up.
    Fresh,
    /// Only names without known addresses are. The others are as they were put in force.
    Known,
}
