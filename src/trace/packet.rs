//! A traced packet.

use std::time::SystemTime;

use crate::model::{Hook, Name, PacketHeader, TraceCause, TraceVerdict, TracedChain};

/// A packet that came in: what it was, the base chains that it passed, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TracedPacket {
    /// When its first message was read.
    pub time: SystemTime,
    /// The interface by which it came in.
    pub in_interface: Option<Name>,
    /// Its headers as it came in.
    pub header: Option<PacketHeader>,
    /// The base chains in order.
    pub visits: Vec<Visit>,
    /// Its headers at the end of the last hook that it has passed.
    pub last_header: Option<PacketHeader>,
    /// What became of it.
    pub fate: Fate,
}

impl TracedPacket {
    /// The last step in the last base chain.
    pub fn last_step(&self) -> Option<(&Visit, &Step)> {
        self.visits.last()?.decision()
    }

    /// The step that decided on the packet; of one that was let through, the last rule that accepted it,
    /// other than by translating it. `None` if no step did.
    pub fn decision(&self) -> Option<(&Visit, &Step)> {
        match self.fate {
            Fate::Lost { .. } => None,
            Fate::Dropped | Fate::Rejected | Fate::Queued | Fate::Stolen => self.last_step(),
            Fate::Delivered | Fate::Sent { .. } => {
                let filters = self.visits.iter().rev().filter(|visit| !visit.is_nat);
                let mut decisions = filters.filter_map(Visit::decision);
                decisions.find(|(_, step)| step.accepts_by_rule())
            }
        }
    }
}

/// A packet's way through one base chain and the chains that its rules send packets to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Visit {
    /// The base chain.
    pub chain: TracedChain,
    /// Where it is attached; `None` if it is of a family that dwnl does not work in, or already deleted.
    pub hook: Option<Hook>,
    /// Whether it is of the type `nat`, so that it decides on translation alone.
    pub is_nat: bool,
    /// The packet's headers as it entered the chain; `None` if it met no rule there.
    pub header: Option<PacketHeader>,
    /// The interface by which it goes out, once that is decided; `None` if it met no rule there.
    pub out_interface: Option<Name>,
    /// The rules that it met, and the ends of chains, in order.
    pub steps: Vec<Step>,
}

impl Visit {
    /// Whether the base chain has decided, so that the next step is one of another base chain.
    pub(super) fn is_complete(&self) -> bool {
        self.steps.last().is_some_and(|step| step.cause == TraceCause::Policy || step.is_final())
    }

    /// The step that decided on the packet in this base chain: the last one.
    fn decision(&self) -> Option<(&Visit, &Step)> {
        Some((self, self.steps.last()?))
    }

    /// The chains that led to the decision, the base chain first: each sent the packet to the next one.
    /// Chains from which it has returned are left out.
    pub fn path(&self) -> Vec<&Name> {
        let mut path = vec![&self.chain.chain];
        for step in &self.steps {
            // The kernel does not report every return, but where each rule is.
            if let Some(index) = path.iter().rposition(|chain| **chain == step.chain) {
                path.truncate(index + 1);
            }
            if let TraceVerdict::Jump(chain) | TraceVerdict::Goto(chain) = &step.verdict {
                path.push(chain);
            }
        }
        path
    }
}

/// A rule that a packet met, or the end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The chain.
    pub chain: Name,
    /// What decided.
    pub cause: TraceCause,
    /// What was decided.
    pub verdict: TraceVerdict,
    /// The rule in the words of iptables or nft; `None` if no rule decided, or if it was deleted since.
    pub rule: Option<Box<str>>,
}

impl Step {
    /// Whether no further rule of the base chain sees the packet.
    fn is_final(&self) -> bool {
        match self.verdict {
            TraceVerdict::Continue
            | TraceVerdict::Return
            | TraceVerdict::Jump(_)
            | TraceVerdict::Goto(_) => false,
            TraceVerdict::Accept
            | TraceVerdict::Drop
            | TraceVerdict::Stolen
            | TraceVerdict::Queue
            | TraceVerdict::Other(_) => true,
        }
    }

    fn accepts_by_rule(&self) -> bool {
        matches!(self.cause, TraceCause::Rule(_)) && self.verdict == TraceVerdict::Accept
    }
}

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// The last step dropped it.
    Dropped,
    /// The last step dropped it, and answered with a TCP reset or an ICMP message.
    Rejected,
    /// It has passed all chains at the hook `input`: the kernel hands it to a local socket, if there is
    /// one for it.
    Delivered,
    /// It has passed all chains at the hook `postrouting`.
    Sent {
        /// The interface by which it goes out.
        out_interface: Option<Name>,
    },
    /// A rule handed it to a program (`queue`), which has not returned it.
    Queued,
    /// The kernel took it out of the path of packets.
    Stolen,
    /// Something outside nf_tables ended it.
    Lost {
        /// The last hook of which it has passed all chains; `None`: not even `prerouting`.
        passed: Option<Hook>,
    },
}
