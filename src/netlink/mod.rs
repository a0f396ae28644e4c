//! Bytes on the wire: sockets, batches, the encoding and decoding of nf_tables' messages, and requests
//! to connection tracking, routing and sock_diag. The only unsafe code.
//!
//! libnftnl (crate `nftnl`) writes the messages into one vector, which is sent with one system call.
//! Safe code reads the answers and validates every byte.

mod attribute;
mod batch;
mod c_string;
mod conntrack;
mod deferred_close;
mod ext_ack;
mod finalized_batch;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod grace_period;
mod grant;
mod iptables_legacy;
mod kernel_set;
mod message;
mod monitor;
mod netns;
mod nfproto;
mod notification;
mod object;
mod port_map;
mod refused;
mod request;
mod route;
mod route_query;
mod rule;
mod set;
mod sock_diag;
mod socket;
mod trace;
mod uapi;
mod userdata;

pub(crate) use batch::Batch;
pub(crate) use conntrack::{decode_flow, put_deletion, put_tombstone};
pub(crate) use ext_ack::describe_offset;
pub(crate) use finalized_batch::{BEGIN_SEQUENCE, FinalizedBatch};
pub(crate) use grace_period::wait_for_packets_under_way;
pub(crate) use grant::decode_grants;
pub(crate) use iptables_legacy::{legacy_nat_holds_rules, legacy_tables_with_rules};
pub(crate) use kernel_set::{DumpedKernelElements, decode_kernel_set};
pub(crate) use message::{KernelError, Message, Messages};
pub(crate) use monitor::Membership;
pub use netns::in_netns;
pub(crate) use notification::{Notification, ObjectChange, ObjectKind, decode_notification};
pub(crate) use object::{
    chain_uses, decode_chain, decode_generation, decode_kernel_chain, decode_kernel_table,
    decode_table,
};
pub(crate) use port_map::{DumpedTargets, decode_map};
pub(crate) use refused::{Refused, decode_refused};
pub(crate) use request::{Dump, Request};
pub(crate) use route::{DumpedLink, RouteDump, decode_address, decode_link, decode_local_route};
pub(crate) use route_query::{FoundRoute, RouteQuery, decode_route};
pub(crate) use rule::{Counter, DumpedRule, decode_facts, decode_kernel_rule, decode_rule};
pub(crate) use set::{DumpedElements, decode_set, is_anonymous};
pub(crate) use sock_diag::decode_listener;
pub(crate) use socket::{Socket, Transport};
pub(crate) use trace::decode_trace;

#[cfg(test)]
mod tests;
