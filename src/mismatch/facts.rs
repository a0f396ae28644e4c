//! What the kernel reports of the host and of other programs' filters.

use std::collections::BTreeSet;

use crate::model::{AddressSpec, ChainPath, Name, RuleFacts};

/// What a policy is compared with. [`Engine::host_facts`](crate::Engine::host_facts) reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// The names of the host's interfaces.
    pub interfaces: BTreeSet<Name>,
    /// The addresses that are the host's own; `None` if they were not read.
    pub addresses: Option<Vec<AddressSpec>>,
    /// The filters of other programs that packets to published ports pass.
    pub filters: Vec<PacketFilter>,
}

/// A base chain that packets to published ports pass: its rules in the order in which they are tried,
/// up to the first one that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketFilter {
    /// The base chain.
    pub path: ChainPath,
    /// The rules, each with its chain: the base chain or one to which it jumps without a condition.
    pub rules: Vec<(ChainPath, RuleFacts)>,
    /// Whether these are all rules.
    pub is_complete: bool,
    /// Whether it drops what reaches its end (`policy drop`).
    pub drops: bool,
}
