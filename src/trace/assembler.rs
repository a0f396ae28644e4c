//! Assembles messages into packets. Messages of several packets may be interleaved.

use std::collections::HashMap;
use std::time::{Instant, SystemTime};

use super::chains::{FIRST, is_trace_table, passed_hook};
use super::open::{OpenPacket, QUIET_PERIOD};
use super::{Fate, TracedPacket};
use crate::model::{Hook, Name, TraceCause, TraceMessage, TraceVerdict, TracedChain};

/// The packets whose end is not known yet.
pub(crate) struct PacketAssembler {
    /// The table whose first chain has packets traced. Packets that others have traced are ignored.
    table: Name,
    open: Vec<OpenPacket>,
    /// The numbers of packets that others have traced, and when a message showed it. The kernel shows the
    /// headers with the rule that has a packet traced.
    strangers: HashMap<u32, Instant>,
    /// Whether packets that come in are ignored.
    is_stopped: bool,
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
        PacketAssembler { table, open: Vec::new(), strangers: HashMap::new(), is_stopped: false }
    }

    /// Adds a message and appends the packets whose end it shows. `names` has the names of interfaces.
    pub fn add(
        &mut self,
        message: TraceMessage,
        at: ReadAt,
        names: &dyn Fn(u32) -> Name,
        finished: &mut Vec<TracedPacket>,
    ) {
        let is_own = self.is_own(&message.chain);
        if is_own && &*message.chain.chain == FIRST {
            self.begin(message, at, names, finished);
            return;
        }
        let Some(index) = self.find(&message, at.instant, names) else { return };
        let open = &mut self.open[index];
        open.id = message.id;
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
        self.open.push(OpenPacket::new(message.id, at.instant, packet));
    }

    /// The packet that a message is about.
    fn find(
        &mut self,
        message: &TraceMessage,
        at: Instant,
        names: &dyn Fn(u32) -> Name,
    ) -> Option<usize> {
        if let Some(index) = self.open.iter().position(|open| open.id == message.id) {
            return Some(index);
        }
        let found = self.find_handed_up(message, names);
        if found.is_some() {
            self.strangers.remove(&message.id);
        } else if message.packet.is_some() {
            self.strangers.insert(message.id, at);
        }
        found
    }

    /// The packet whose number has changed to that of the message. The kernel makes the number of the
    /// packet's buffer and the interface that has received it. With `br_netfilter` the hook prerouting
    /// sees a packet as received by the port of a bridge, the hooks that follow as received by the bridge.
    fn find_handed_up(&self, message: &TraceMessage, names: &dyn Fn(u32) -> Name) -> Option<usize> {
        let chain = &message.chain;
        let is_other_trace = !self.is_own(chain) && is_trace_table(&chain.table);
        let is_before = self.is_own(chain) && passed_hook(&chain.chain) == Some(Hook::Prerouting);
        if is_other_trace || is_before {
            return None;
        }
        let is_stranger = self.strangers.contains_key(&message.id);
        let matches = |open: &OpenPacket| match &message.packet {
            Some(state) => open.is_handed_up_as(state, names),
            None => !is_stranger && open.may_be_handed_up_to(chain),
        };
        // The last one of several alike: the kernel takes a packet on without a pause.
        let alike = self.open.iter().enumerate().filter(|(_, open)| matches(open));
        alike.max_by_key(|(_, open)| open.last).map(|(index, _)| index)
    }

    fn is_own(&self, chain: &TracedChain) -> bool {
        &*chain.family == "inet" && chain.table == self.table
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
        self.strangers.retain(|_, last| *last + QUIET_PERIOD > now);
    }

    /// Drops all packets, because messages about them were lost.
    pub fn reset(&mut self) {
        self.open.clear();
        self.strangers.clear();
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
