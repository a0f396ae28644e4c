//! Fuzz targets of whole conversations with a kernel that answers with any bytes.

#![allow(clippy::missing_panics_doc, clippy::expect_used)]

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::LazyLock;

use nix::poll::PollTimeout;

use super::monitor::CommitAssembler;
use super::{Engine, Error, MonitorEvent, commit};
use crate::compile::{compile, managed_objects, resolve};
use crate::fuzzing::check_text;
use crate::model::{AddressSpec, Ports, Protocol, Ruleset, Snapshot};
use crate::netlink::{FinalizedBatch, Messages, Transport};
use crate::plan::Plan;
use crate::policy::{Allow, Group, Policy};

/// A kernel that answers every request with the next recorded datagram. Each datagram is preceded by its
/// length in two bytes; length 0 means no answer.
struct Recording {
    rest: Vec<u8>,
    current: Vec<u8>,
    /// The number of the last request, unless it was a batch; every answer to it carries it.
    sequence: Option<u32>,
}

const SEQUENCE: std::ops::Range<usize> = 8..12;

impl Recording {
    fn of(data: &[u8]) -> Recording {
        Recording { rest: data.to_vec(), current: Vec::new(), sequence: None }
    }

    fn engine(data: &[u8]) -> Engine {
        // Nothing of the host is read, and the order of a second thread's reads would be random.
        let [answers, second, routes, sockets] =
            [data, &[], &[], &[]].map(|data| Box::new(Recording::of(data)));
        Engine::over([answers, second], routes, sockets)
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let (length, rest) = self.rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (datagram, rest) = rest.split_at(length);
        let datagram = datagram.to_vec();
        self.rest = rest.to_vec();
        (!datagram.is_empty()).then_some(datagram)
    }

    fn number(&mut self, sequence: u32) {
        let mut start = 0;
        while let Some(message) = self.current.get_mut(start..).filter(|rest| rest.len() >= 16) {
            message[SEQUENCE].copy_from_slice(&sequence.to_ne_bytes());
            let length = u32::from_ne_bytes([message[0], message[1], message[2], message[3]]);
            start += (length as usize).next_multiple_of(4).max(4);
        }
    }
}

impl Transport for Recording {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let first = Messages::new(datagram).next().expect("a message");
        let is_batch = i32::from(first.kind) == libc::NFNL_MSG_BATCH_BEGIN;
        self.sequence = (!is_batch).then_some(first.sequence);
        Ok(())
    }

    fn receive(&mut self, _timeout: PollTimeout) -> io::Result<Option<&[u8]>> {
        let Some(datagram) = self.next() else { return Ok(None) };
        self.current = datagram;
        if let Some(sequence) = self.sequence {
            self.number(sequence);
        }
        Ok(Some(&self.current))
    }
}

/// A small group and a large one.
static WANTED: LazyLock<Ruleset> = LazyLock::new(|| {
    let source = |n: u32| AddressSpec::host(Ipv4Addr::from(n * 3).into()).expect("an address");
    let entry = |port, name: &str, count| {
        let group = Group::named(name, (1..=count).map(source)).expect("a group");
        let ports = Ports::single(Protocol::Tcp, port).expect("a port");
        Allow::builder([ports]).name(name).from([group]).build().expect("an entry")
    };
    let policy = Policy::builder().allow(entry(443, "few", 3)).allow(entry(444, "many", 64));
    compile(&policy.build().expect("a policy"))
});

/// The data are the datagrams of a dump. A plan can be made from every snapshot.
pub fn snapshot(data: &[u8]) {
    match Recording::engine(data).snapshot() {
        Ok(snapshot) => {
            let wanted = resolve(&WANTED, &snapshot).map_err(Error::from);
            let plans = [
                wanted.and_then(|wanted| Ok(Plan::diff(&wanted, &snapshot)?)),
                Plan::teardown(&managed_objects(), &snapshot).map_err(Error::from),
            ];
            for plan in plans {
                drop(plan.map_err(|error| error.to_string()));
            }
        }
        Err(error) => drop(error.to_string()),
    }
}

/// The data are the datagrams that answer a batch. Success requires the next generation and no error.
pub fn answer(data: &[u8]) {
    static SENT: LazyLock<(Plan, FinalizedBatch)> = LazyLock::new(|| {
        let before = Snapshot { generation: 7, ..Snapshot::default() };
        let wanted = resolve(&WANTED, &before).expect("a ruleset");
        let plan = Plan::diff(&wanted, &before).expect("a plan");
        let batch = commit::encode(plan.generation, &plan.changes, &BTreeMap::new());
        (plan, batch)
    });
    let (plan, batch) = &*SENT;
    match commit::send(
        &mut Recording::engine(data).connections[0],
        plan.generation,
        &plan.changes,
        batch,
    ) {
        Ok(generation) => assert_eq!(generation, 8),
        Err(error) => drop(error.to_string()),
    }
}

/// The data are the datagrams of notifications. The text of every commit is short and plain.
pub fn notice(data: &[u8]) {
    static OPENED: LazyLock<CommitAssembler> = LazyLock::new(|| CommitAssembler::starting_at(1));
    let mut assembler = OPENED.clone();
    let mut events = Vec::new();
    let mut recording = Recording::of(data);
    while let Some(datagram) = recording.next() {
        assembler.read(&datagram, &mut events);
    }
    for event in &events {
        if let MonitorEvent::Commit(commit) = event {
            let text = commit.to_string();
            check_text(&text);
            assert!(!text.contains('\n'), "{text}");
        }
    }
}
