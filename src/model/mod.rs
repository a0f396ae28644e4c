//! The nouns of nf_tables that dwnl works with, free of any input or output: families, chains,
//! rules and verdicts as they should be ([`Ruleset`]) and as the kernel holds them ([`Snapshot`]),
//! the flows that pass through them, and the host's interfaces and listening sockets.
//!
//! `Display` is iptables' own syntax, so that what is printed here can be compared with
//! `iptables -S` and fed to `iptables-restore`; for what iptables has no words for it is nft's.

mod address;
mod address_text;
mod chain;
mod container;
mod docker;
mod family;
mod flow;
mod grant;
mod grant_area;
mod hook;
mod host;
mod interface;
mod invisible;
pub(crate) mod kernel;
mod log;
mod origin;
mod path;
mod port;
mod port_map;
mod quoted;
mod rate;
mod refusal;
mod rule;
mod rule_facts;
mod set;
mod snapshot;
mod trace;
mod translations;

pub use address::{AddressError, AddressRange, AddressSpec};
pub use chain::{Chain, DesiredRule, GuardScope, Ownership, Ruleset};
pub use container::{Binding, Container, Containers};
pub use docker::{Docker, PublishedPort};
pub use family::{Family, IpVersion};
pub(crate) use flow::{Flow, Status, Tuple};
pub use grant::{Grant, GrantAction, GrantFill, GrantSet};
pub(crate) use grant_area::{GrantMerge, merge};
pub use hook::{BaseChain, Hook};
pub use host::{Cgroup, Cgroups, HostState, Link, Listener};
pub use interface::{INTERFACE_NAME_MAX, Interface, InterfaceError};
pub(crate) use invisible::is_invisible;
pub use kernel::{KernelBase, KernelChain, KernelRule, KernelRuleset, KernelSet, KernelTable};
pub use log::LogTarget;
pub use origin::{Location, Origin};
pub use path::{ChainPath, Name, SetPath, TablePath};
pub use port::{Ports, PortsError, Protocol};
pub use port_map::{PortMap, PortTarget};
pub(crate) use quoted::quoted;
pub use rate::{Rate, RateError, RateUnit};
pub use refusal::{
    Recording, RefusalFill, RefusalPath, RefusalSet, RefusedPort, RefusedReport, RefusedSource,
};
pub use rule::{
    ADMITTED_LABEL, COMMENT_MAX, CgroupMatch, ConnectionLimit, Direction, Endpoint, FlowLimits,
    IptablesRule, Match, NftMatch, NftRule, NftStatement, Position, RateLimit, Rule, SetUpdate,
    TimeMatch, UpdateKey, Verdict,
};
pub use rule_facts::{Action, AddressMatch, RuleFacts};
pub(crate) use set::{AddressNumber, coalesce, from_u128, merge_intervals, to_u128};
pub use set::{Interval, Set, SetKind, Shard};
pub use snapshot::{
    InstalledChain, InstalledRule, InstalledSet, InstalledTable, RuleContent, Snapshot,
};
pub use trace::{PacketHeader, TraceCause, TraceFilter, TraceVerdict, TracedChain, Transport};
pub(crate) use trace::{TraceMessage, TracedState};
pub use translations::{ForeignTranslations, ReturnRule};
