//! `limit` and `connections` of an `[[allow]]` entry: how many flows it admits.

use std::fmt;
use std::num::NonZeroU32;

use crate::model::{Rate, RateUnit};

/// `limit`: how many flows an entry admits in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// The rate.
    pub rate: Rate,
    /// What the rate is for.
    pub per: LimitScope,
}

/// What each has a rate of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LimitScope {
    /// The whole entry has one rate.
    #[default]
    Entry,
    /// Each source: an address of IPv4, or a network of 64 bits of IPv6.
    Source,
    /// Each published port.
    Port,
}

/// `limit` and `connections` of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Limits {
    /// How many flows the entry admits in a time; `None`: any number.
    pub limit: Option<Limit>,
    /// How many flows each source may have open by the entry; `None`: any number.
    pub connections: Option<NonZeroU32>,
}

impl Limits {
    /// Maximum value of `connections`.
    pub const CONNECTIONS_MAX: u32 = 1_000_000;

    /// Whether there are none.
    pub fn is_none(self) -> bool {
        self == Limits::default()
    }

    /// The key of a limit that there is.
    pub(super) fn key(self) -> Option<&'static str> {
        let connections = self.connections.map(|_| "connections");
        self.limit.map(|_| "limit").or(connections)
    }
}

/// As a policy has it: `20/second burst 50 per source`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.rate.count(), self.rate.unit())?;
        if !self.rate.has_default_burst() {
            write!(f, " burst {}", self.rate.burst())?;
        }
        match self.per {
            LimitScope::Entry => Ok(()),
            LimitScope::Source => write!(f, " per source"),
            LimitScope::Port => write!(f, " per port"),
        }
    }
}

/// In words: `limit = "20/second per source"`, `connections = 100`.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit.map(|limit| format!("limit = \"{limit}\""));
        let connections = self.connections.map(|number| format!("connections = {number}"));
        let all: Vec<String> = limit.into_iter().chain(connections).collect();
        f.write_str(&all.join(", "))
    }
}

impl LimitScope {
    /// The word behind `per`; none for the whole entry.
    pub const WORDS: [(&'static str, LimitScope); 2] =
        [("source", LimitScope::Source), ("port", LimitScope::Port)];
}

/// The unit of time with this name.
pub(super) fn unit(name: &str) -> Option<RateUnit> {
    RateUnit::ALL.into_iter().find(|unit| unit.name() == name)
}
