//! Traces packets: has the kernel report what becomes of some of those that come in.

mod interfaces;
mod rules;
mod sets;
mod table;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use nix::poll::PollTimeout;

use super::connection::{Connection, is_overflow};
use super::error::{io_error, join_error, open_error};
use super::{Engine, Error, opened_in, wait_readable};
use crate::model::{ChainPath, Family, Name, TraceCause, TraceFilter};
use crate::netlink::{Messages, Socket, Transport, decode_trace};
use crate::trace::{Fate, PacketAssembler, ReadAt, TracedPacket, Visit};
use interfaces::Interfaces;
use rules::RuleReader;
use table::TraceTable;

/// Maximum number of datagrams that are read at once, so that a flood does not keep the caller.
const DATAGRAMS_MAX: usize = 4096;

/// What a [`Tracer`] reports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceEvent {
    /// A packet, whose end is known.
    Packet(TracedPacket),
    /// The kernel dropped messages, because the receive buffer was full: packets are missing.
    Overrun,
}

/// Traces packets of one network namespace. While it exists, so does a table `inet dwnl-trace-…`, whose
/// rule has at most 20 packets per second traced. The table belongs to the tracer's socket, so that the
/// kernel deletes it whichever way the process ends. Needs CAP_NET_ADMIN in the user namespace that owns
/// the network namespace, and Linux 5.12.
///
/// Rules of iptables-legacy are not reported, and no rules at the hooks `ingress` and `egress` before the
/// first and behind the last chain of a packet.
pub struct Tracer {
    messages: Socket,
    connection: Connection,
    table: TraceTable,
    assembler: PacketAssembler,
    interfaces: Interfaces,
    rules: RuleReader,
    legacy_tables: Vec<(Family, Name)>,
}

impl Tracer {
    /// Begins to trace in the network namespace of the calling thread.
    ///
    /// # Errors
    /// [`Error::NoOwnedTables`] on a kernel that is too old, [`Error::Permission`],
    /// [`Error::NoNfTables`] and [`Error::Socket`].
    pub fn open(filter: &TraceFilter) -> Result<Tracer, Error> {
        let messages = Socket::open_trace().map_err(join_error)?;
        let socket = Socket::open().map_err(open_error)?;
        let port = socket.port();
        let mut connection = Connection::new(Box::new(socket));
        let interfaces = Interfaces::open()?;
        let legacy = Engine::legacy_tables()?.into_iter();
        let legacy_tables = legacy.map(|(version, table)| (version.into(), table)).collect();
        let table = TraceTable::create(&mut connection, port, filter)?;
        let assembler = PacketAssembler::new(Arc::clone(&table.path.table));
        let rules = RuleReader::default();
        Ok(Tracer { messages, connection, table, assembler, interfaces, rules, legacy_tables })
    }

    /// As [`Tracer::open`], in the network namespace that `path` refers to; see
    /// [`Engine::open_in`](super::Engine::open_in).
    ///
    /// # Errors
    /// As [`Tracer::open`], and [`Error::Namespace`].
    pub fn open_in(path: &Path, filter: &TraceFilter) -> Result<Tracer, Error> {
        opened_in(path, || Tracer::open(filter))
    }

    /// The tables of iptables-legacy that hold rules, which do not appear in the trace. Other users than
    /// root cannot ask for them.
    pub fn legacy_tables(&self) -> &[(Family, Name)] {
        &self.legacy_tables
    }

    /// The events that are waiting. Never blocks: poll the file descriptor until
    /// [`Tracer::deadline`], or call [`Tracer::wait`].
    ///
    /// # Errors
    /// [`Error::Socket`] and [`Error::Malformed`].
    pub fn read(&mut self) -> Result<Vec<TraceEvent>, Error> {
        let (mut packets, mut has_overrun, mut is_drained) = (Vec::new(), false, false);
        for _ in 0..DATAGRAMS_MAX {
            match self.messages.receive(PollTimeout::ZERO) {
                Ok(Some(datagram)) => {
                    let at = ReadAt { instant: Instant::now(), time: SystemTime::now() };
                    for message in Messages::new(datagram).filter_map(|it| decode_trace(&it)) {
                        self.interfaces.learn(&message)?;
                        let names = |index| self.interfaces.name(index);
                        self.assembler.add(message, at, &names, &mut packets);
                    }
                }
                Err(error) if is_overflow(&error) => has_overrun = true,
                Err(source) => return Err(io_error("reading traced packets")(source)),
                Ok(None) => {
                    is_drained = true;
                    break;
                }
            }
        }
        if has_overrun {
            self.assembler.reset();
        }
        if is_drained {
            self.assembler.expire(Instant::now(), &mut packets);
        }
        let mut events = self.describe(packets)?;
        events.extend(has_overrun.then_some(TraceEvent::Overrun));
        Ok(events)
    }

    /// When the next packet is given up that has disappeared without a verdict: [`Tracer::read`] reports
    /// it then.
    pub fn deadline(&self) -> Option<Instant> {
        self.assembler.deadline()
    }

    /// Waits for events and returns them. Returns an empty list when `timeout` has passed.
    ///
    /// # Errors
    /// As [`Tracer::read`].
    pub fn wait(&mut self, timeout: Duration) -> Result<Vec<TraceEvent>, Error> {
        let end = Instant::now() + timeout;
        loop {
            let next = self.deadline().map_or(end, |deadline| deadline.min(end));
            wait_readable(&[self.as_fd()], Some(next))?;
            let events = self.read()?;
            if !events.is_empty() || Instant::now() >= end {
                return Ok(events);
            }
        }
    }

    /// Ignores the packets that come in from now on. [`Tracer::read`] reports those that are on their
    /// way; there are none when [`Tracer::deadline`] is `None`.
    pub fn stop(&mut self) {
        self.assembler.stop();
    }

    /// Ends the trace and returns how many packets have matched the filter, traced or not.
    ///
    /// # Errors
    /// [`Error::Socket`]: the table is gone anyway.
    pub fn close(mut self) -> Result<u64, Error> {
        let matched = self.table.matched(&mut self.connection);
        self.table.delete(&mut self.connection);
        matched
    }

    /// Adds the hooks and the rules' words.
    fn describe(&mut self, packets: Vec<TracedPacket>) -> Result<Vec<TraceEvent>, Error> {
        if packets.is_empty() {
            return Ok(Vec::new());
        }
        self.rules.refresh(&mut self.connection)?;
        let mut events = Vec::with_capacity(packets.len());
        for mut packet in packets {
            let mut rejects = false;
            for visit in &mut packet.visits {
                rejects = self.describe_visit(visit)?;
            }
            if packet.fate == Fate::Dropped && rejects {
                packet.fate = Fate::Rejected;
            }
            events.push(TraceEvent::Packet(packet));
        }
        Ok(events)
    }

    /// Returns whether the last rule rejects packets.
    fn describe_visit(&mut self, visit: &mut Visit) -> Result<bool, Error> {
        if let Some(base) = self.rules.base(&visit.chain) {
            (visit.hook, visit.is_nat) = (Some(base.hook), base.is_nat);
        }
        let mut rejects = false;
        for step in &mut visit.steps {
            rejects = false;
            let (TraceCause::Rule(handle), Some(path)) = (step.cause, visit.chain.path()) else {
                continue;
            };
            let path = ChainPath { chain: step.chain.clone(), ..path };
            if let Some(words) = self.rules.words(&mut self.connection, path, handle)? {
                step.rule = Some(words.text);
                rejects = words.rejects;
            }
        }
        Ok(rejects)
    }
}

/// Readable when messages are waiting.
impl AsFd for Tracer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.messages.as_fd()
    }
}
