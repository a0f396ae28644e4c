//! A packet on its way: what its messages have shown so far.

use std::time::{Duration, Instant};

use super::{Fate, Step, TracedPacket, Visit};
use crate::model::{Hook, Name, TraceMessage, TraceVerdict, TracedChain, TracedState};

/// How long a packet may take from one message to the next. The kernel takes a packet from hook to hook
/// without a pause, but the machine may be busy.
pub const QUIET_PERIOD: Duration = Duration::from_millis(500);
/// The same for a packet that waits for a program.
const QUEUE_PERIOD: Duration = Duration::from_secs(3);

/// A packet whose end is not known yet.
pub struct OpenPacket {
    /// The number in its last message.
    pub id: u32,
    /// When the last message came.
    pub last: Instant,
    /// The last hook of which it has passed all chains.
    pub passed: Option<Hook>,
    /// How many of its visits were before the end of that hook.
    visits_passed: usize,
    /// What is known of it.
    pub packet: TracedPacket,
}

impl OpenPacket {
    /// A packet that has come in.
    pub fn new(id: u32, last: Instant, packet: TracedPacket) -> OpenPacket {
        OpenPacket { id, last, passed: None, visits_passed: 0, packet }
    }

    /// When it is given up, if no message about it comes.
    pub fn deadline(&self) -> Instant {
        let is_queued = self.verdict() == Some(&TraceVerdict::Queue);
        self.last + if is_queued { QUEUE_PERIOD } else { QUIET_PERIOD }
    }

    /// Whether a packet of another number in this state may be this one, handed up by a bridge.
    pub fn is_handed_up_as(&self, state: &TracedState, names: &dyn Fn(u32) -> Name) -> bool {
        self.is_between_hooks()
            && self.packet.last_header == state.header
            && self.packet.in_interface == state.in_interface.map(names)
    }

    /// Whether a packet of another number that meets no rule in this chain may be this one.
    pub fn may_be_handed_up_to(&self, chain: &TracedChain) -> bool {
        let source = self.packet.last_header.as_ref().map(|header| header.source);
        let is_seen = source.is_some_and(|source| match &*chain.family {
            "inet" => true,
            "ip" => source.is_ipv4(),
            "ip6" => source.is_ipv6(),
            _ => false,
        });
        is_seen && self.is_between_hooks()
    }

    /// Whether no chain has seen it since it has passed prerouting, other than those of the bridge that
    /// hands it up.
    fn is_between_hooks(&self) -> bool {
        let later = &self.packet.visits[self.visits_passed..];
        self.passed == Some(Hook::Prerouting)
            && self.packet.last_header.is_some()
            && later.iter().all(|visit| &*visit.chain.family == "bridge")
    }

    /// The verdict of the last step.
    pub fn verdict(&self) -> Option<&TraceVerdict> {
        self.packet.last_step().map(|(_, step)| &step.verdict)
    }

    /// Adds a step of another program's chain, or of dwnl's.
    pub fn add(&mut self, message: TraceMessage, names: &dyn Fn(u32) -> Name) {
        let TraceMessage { chain, cause, verdict, packet, .. } = message;
        let step = Step { chain: chain.chain.clone(), cause, verdict, rule: None };
        match self.packet.visits.last_mut() {
            Some(visit) if !visit.is_complete() => visit.steps.push(step),
            _ => {
                let TracedState { header, out_interface, .. } = packet.unwrap_or_default();
                self.packet.visits.push(Visit {
                    chain,
                    hook: None,
                    is_nat: false,
                    header,
                    out_interface: out_interface.map(names),
                    steps: vec![step],
                });
            }
        }
    }

    /// Takes what the packet is at the end of a hook.
    pub fn see(&mut self, state: TracedState, names: &dyn Fn(u32) -> Name) {
        self.packet.last_header = state.header;
        self.visits_passed = self.packet.visits.len();
        if self.passed == Some(Hook::Postrouting) {
            let out_interface = state.out_interface.map(names);
            self.packet.fate = Fate::Sent { out_interface };
        }
    }

    /// What became of the packet, if it is known.
    pub fn fate(&self) -> Option<Fate> {
        match (self.passed, self.verdict()) {
            (Some(Hook::Input), _) => Some(Fate::Delivered),
            (Some(Hook::Postrouting), _) => Some(self.packet.fate.clone()),
            (_, Some(TraceVerdict::Drop)) => Some(Fate::Dropped),
            _ => None,
        }
    }
}
