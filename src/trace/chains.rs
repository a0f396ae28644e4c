//! The chains of the table that a trace makes. The first sees the packets before all other programs and
//! has them traced. The others come last at their hooks, so that a packet's message from one of them
//! shows that it has passed the hook.

use crate::model::{BaseChain, Hook};

/// The name of the first chain.
pub(crate) const FIRST: &str = "first";

/// All chains by name.
pub(crate) const CHAINS: [(&str, BaseChain<'static>); 5] = [
    // Just behind the reassembly of fragments (`NF_IP_PRI_CONNTRACK_DEFRAG`): before it, only the first
    // fragment of a packet has ports.
    (FIRST, at(Hook::Prerouting, -399)),
    ("prerouting", at(Hook::Prerouting, i32::MAX)),
    ("input", at(Hook::Input, i32::MAX)),
    ("forward", at(Hook::Forward, i32::MAX)),
    ("postrouting", at(Hook::Postrouting, i32::MAX)),
];

/// What the names of the tables begin with.
const TABLE: &str = "dwnl-trace-";

const fn at(hook: Hook, priority: i32) -> BaseChain<'static> {
    BaseChain { chain_type: "filter", hook, priority }
}

/// The name of the table of a trace by the port ID of its socket, which no other process has.
pub(crate) fn table_name(port: u32) -> String {
    format!("{TABLE}{port}")
}

/// Whether a table of the family `inet` is that of a trace.
pub(crate) fn is_trace_table(name: &str) -> bool {
    name.starts_with(TABLE)
}

/// The hook that a packet has passed when it is at the end of the chain.
pub(super) fn passed_hook(chain: &str) -> Option<Hook> {
    let last = CHAINS.iter().find(|(name, _)| *name == chain && *name != FIRST);
    last.map(|(_, base)| base.hook)
}
