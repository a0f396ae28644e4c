//! Assembles messages into packets. Messages of several packets may be interleaved.

use std::time::{Duration, Instant, SystemTime};

use super::chains::{FIRST, is_trace_table, passed_hook};
use super::{Fate, Step, TracedPacket, Visit};
use crate::model::{Hook, Name, TraceCause, TraceMessage, TraceVerdict, TracedState};

/// How long a packet may take from one message to the next. The kernel takes a packet from hook to hook
/// without a pause, but the machine may be busy.
const QUIET_PERIOD: Duration = Duration::from_millis(500);
/// The same for a packet that waits for a program.
const QUEUE_PERIOD: Duration = Duration::from_secs(3);

/// The packets whose end is not known yet.
pub(crate) struct PacketAssembler {
    /// The table whose first chain has packets traced. Packets that others have traced are ignored.
    table: Name,
    open: Vec<OpenPacket>,
    /// Whether packets that come in are ignored.
    is_stopped: bool,
}

struct OpenPacket {
    id: u32,
    /// When the last message came.
    last: Instant,
    /// The last hook of which it has passed all chains.
    passed: Option<Hook>,
    packet: TracedPacket,
}

/// When a message was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadAt {
    /// For durations.
    pub instant: Instant,
    /// For people.
    pub time: SystemTime,
}

impl PacketAssembler {
    /// No packets yet.
    pub fn new(table: Name) -> PacketAssembler {
        PacketAssembler { table, open: Vec::new(), is_stopped: false }
    }

    /// Adds a message and appends the packets whose end it shows. `names` has the names of interfaces.
    pub fn add(
        &mut self,
        message: TraceMessage,
        at: ReadAt,
        names: &dyn Fn(u32) -> Name,
        finished: &mut Vec<TracedPacket>,
    ) {
        let is_own = &*message.chain.family == "inet" && message.chain.table == self.table;
        if is_own && &*message.chain.chain == FIRST {
            self.begin(message, at, names, finished);
            return;
        }
        let Some(index) = self.open.iter().position(|open| open.id == message.id) else { return };
        let open = &mut self.open[index];
        open.last = at.instant;
        if is_own {
            open.passed = passed_hook(&message.chain.chain);
            open.see(message.packet.unwrap_or_default(), names);
        } else if !is_trace_table(&message.chain.table) {
            open.add(message, names);
        }
        if let Some(fate) = open.fate() {
            finished.push(self.finish(index, fate));
        }
    }

    /// A packet comes in. Only the rule makes it one to follow: others may have packets traced that pass
    /// the chain.
    fn begin(
        &mut self,
        message: TraceMessage,
        at: ReadAt,
        names: &dyn Fn(u32) -> Name,
        finished: &mut Vec<TracedPacket>,
    ) {
        if message.cause == TraceCause::Policy {
            return;
        }
        if let Some(index) = self.open.iter().position(|open| open.id == message.id) {
            finished.push(self.give_up(index));
        }
        if self.is_stopped {
            return;
        }
        let state = message.packet.unwrap_or_default();
        let packet = TracedPacket {
            time: at.time,
            in_interface: state.in_interface.map(names),
            header: state.header,
            visits: Vec::new(),
            last_header: None,
            fate: Fate::Lost { passed: None },
        };
        self.open.push(OpenPacket { id: message.id, last: at.instant, passed: None, packet });
    }

    /// Ignores the packets that come in from now on.
    pub fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// When the next packet is given up, if no message about it comes.
    pub fn deadline(&self) -> Option<Instant> {
        self.open.iter().map(OpenPacket::deadline).min()
    }

    /// Appends the packets about which no message has come for too long.
    pub fn expire(&mut self, now: Instant, finished: &mut Vec<TracedPacket>) {
        while let Some(index) = self.open.iter().position(|open| open.deadline() <= now) {
            finished.push(self.give_up(index));
        }
    }

    /// Drops all packets, because messages about them were lost.
    pub fn reset(&mut self) {
        self.open.clear();
    }

    fn give_up(&mut self, index: usize) -> TracedPacket {
        let fate = match self.open[index].verdict() {
            Some(TraceVerdict::Queue) => Fate::Queued,
            Some(TraceVerdict::Stolen) => Fate::Stolen,
            _ => Fate::Lost { passed: self.open[index].passed },
        };
        self.finish(index, fate)
    }

    fn finish(&mut self, index: usize, fate: Fate) -> TracedPacket {
        TracedPacket { fate, ..self.open.remove(index).packet }
    }
}

impl OpenPacket {
    fn deadline(&self) -> Instant {
        let is_queued = self.verdict() == Some(&TraceVerdict::Queue);
        self.last + if is_queued { QUEUE_PERIOD } else { QUIET_PERIOD }
    }

    /// The verdict of the last step.
    fn verdict(&self) -> Option<&TraceVerdict> {
        self.packet.last_step().map(|(_, step)| &step.verdict)
    }

    /// Adds a step of another program's chain, or of dwnl's.
    fn add(&mut self, message: TraceMessage, names: &dyn Fn(u32) -> Name) {
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
    fn see(&mut self, state: TracedState, names: &dyn Fn(u32) -> Name) {
        self.packet.last_header = state.header;
        if self.passed == Some(Hook::Postrouting) {
            let out_interface = state.out_interface.map(names);
            self.packet.fate = Fate::Sent { out_interface };
        }
    }

    /// What became of the packet, if it is known.
    fn fate(&self) -> Option<Fate> {
        match (self.passed, self.verdict()) {
            (Some(Hook::Input), _) => Some(Fate::Delivered),
            (Some(Hook::Postrouting), _) => Some(self.packet.fate.clone()),
            (_, Some(TraceVerdict::Drop)) => Some(Fate::Dropped),
            _ => None,
        }
    }
}
