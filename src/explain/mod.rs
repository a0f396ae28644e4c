//! Why a source gets in at a port, or does not: what the policy says, what the rules of all programs do
//! with the packet, and what connection tracking knows of the source. Pure values, no input or output:
//! [`Engine::explain`](crate::Engine::explain) reads what they need.

mod admission;
mod contradiction;
mod open_flow;
mod receiver;
mod verdict;

use std::net::{IpAddr, SocketAddr};

use crate::model::{Grant, Name, Protocol, PublishedPort};
use crate::policy::{Limits, Schedule, ScheduleState};
use crate::simulate::{Effect, Step};

pub use admission::{Admission, NearMiss, Packet, Unmet};
pub(crate) use contradiction::Circumstances;
pub use contradiction::Contradiction;
pub use open_flow::{FlowFate, OpenFlow};
pub use receiver::Receiver;
pub use verdict::{Refusal, Verdict};

/// What is asked: what becomes of the first packet of a new flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The source.
    pub source: IpAddr,
    /// The address that the source calls, of the same IP version; `None`: the address at which the host
    /// answers this source or, if the port is not published there, one at which it is.
    pub destination: Option<IpAddr>,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The published port.
    pub port: u16,
    /// The interface by which the packet comes in; `None`: the one that leads to the source.
    pub in_interface: Option<Name>,
}

/// The answer to a [`Question`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// The source.
    pub source: IpAddr,
    /// The address that the source calls.
    pub destination: IpAddr,
    /// Other addresses of the host at which the port is published, if it is not at all of them.
    pub other_destinations: Vec<IpAddr>,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The published port.
    pub port: u16,
    /// The interface by which the packet comes in.
    pub in_interface: Name,
    /// Whether the packet gets in, and why.
    pub verdict: Verdict,
    /// The rules and chain policies that decide about the packet or change it, in their order.
    pub steps: Vec<Step>,
    /// What the policy says; `None` without a policy.
    pub admission: Option<Admission>,
    /// The schedule of the entry that admits or denies the packet, and its present state; `None`: there is
    /// no such entry, or it always applies.
    pub schedule: Option<(Schedule, ScheduleState)>,
    /// The limits within which the policy admits it, if it does. Whether they are used up is not known: the
    /// verdict is that of a flow within them.
    pub limits: Limits,
    /// Why the verdict is not what the policy says; `None` if it is, or without a policy.
    pub contradiction: Option<Contradiction>,
    /// The grants and bans by hand that are for the packet, bans first.
    pub by_hand: Vec<Grant>,
    /// How Docker publishes the port, as its rules and sockets show; `None` if they do not.
    pub published: Option<PublishedPort>,
    /// The container's port, if Docker's rules show it.
    pub container_port: Option<u16>,
}

impl Question {
    /// The question without a destination and an interface.
    pub fn new(source: IpAddr, protocol: Protocol, port: u16) -> Question {
        Question { source, destination: None, protocol, port, in_interface: None }
    }
}

impl Explanation {
    /// The container's address and port, if the rules translate the packet to it.
    pub fn container(&self) -> Option<SocketAddr> {
        let translated = self.steps.iter().rev().find_map(|step| match step.effect {
            Effect::Dnat { address, port } => Some(SocketAddr::new(address, port)),
            _ => None,
        });
        translated.filter(|_| self.published.is_some())
    }
}
