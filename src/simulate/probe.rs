//! The packet that is simulated, and what became of it.

use std::net::IpAddr;

use crate::model::{ChainPath, Name, Protocol};

/// The first packet of a new flow that comes in from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The protocol.
    pub protocol: Protocol,
    /// Where it comes from; of the same IP version as the destination.
    pub source: IpAddr,
    /// The port that it comes from; `None`: any.
    pub source_port: Option<u16>,
    /// Where it is sent to.
    pub destination: IpAddr,
    /// The port that it is sent to.
    pub port: u16,
    /// The interface by which it comes in.
    pub in_interface: Name,
}

/// What happened to a packet, and where it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// What decided or changed something, in order.
    pub steps: Vec<Step>,
    /// Where the packet ended.
    pub outcome: Outcome,
}

/// A rule, or a chain's policy, that decided or changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The chain.
    pub chain: ChainPath,
    /// The handle of the rule; `None` for the policy of the chain.
    pub rule: Option<u64>,
    /// The rule in the words of iptables or nft, or `policy drop`.
    pub text: String,
    /// What it did.
    pub effect: Effect,
}

/// What a rule did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The chains of this table at this hook are done.
    Accept,
    /// The packet was dropped.
    Drop,
    /// The packet was dropped, and the sender is told so.
    Reject,
    /// Back to the chain that jumped here.
    Return,
    /// The destination was translated.
    Dnat {
        /// The new destination.
        address: IpAddr,
        /// The new port.
        port: u16,
    },
    /// The source was translated.
    Snat,
    /// The packet's mark was set; `None` if not to a known value.
    Mark(Option<u32>),
    /// The connection mark was set; `None` if not to a known value.
    ConnectionMark(Option<u32>),
    /// The packet was excluded from connection tracking.
    Notrack,
    /// dwnl does not know what it did.
    Unknown,
}

/// Where a packet ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was delivered.
    Reaches {
        /// To this address.
        address: IpAddr,
        /// And port.
        port: u16,
        /// By this interface; `None`: to the host itself, whether or not a process listens there.
        out_interface: Option<Name>,
    },
    /// A rule or policy dropped it: the step with this index.
    Dropped(usize),
    /// A rule rejected it: the step with this index.
    Rejected(usize),
    /// The host has no route for it, or does not forward it.
    Unroutable {
        /// The destination, maybe translated.
        address: IpAddr,
    },
    /// This cannot be told.
    Unknown(Box<Doubt>),
}

impl Outcome {
    /// Whether both mean the same for the packet, whichever rule decided.
    pub fn is_same(&self, other: &Outcome) -> bool {
        match (self, other) {
            (Outcome::Dropped(_), Outcome::Dropped(_))
            | (Outcome::Rejected(_), Outcome::Rejected(_)) => true,
            (Outcome::Unknown(_), _) | (_, Outcome::Unknown(_)) => false,
            _ => self == other,
        }
    }
}

/// The first thing that was not understood and that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The chain; `None` if it is not about a rule.
    pub chain: Option<ChainPath>,
    /// The handle of the rule, if it is about one.
    pub rule: Option<u64>,
    /// The rule in words; empty if it is not about one.
    pub text: String,
    /// What was not understood.
    pub reason: String,
    /// What happens if the rule matches, and if it does not. `None` where dwnl does not know what
    /// the rule does, or has not followed it.
    pub alternatives: Option<(Box<Simulation>, Box<Simulation>)>,
}
