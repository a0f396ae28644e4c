//! Assembles notifications into events. The messages of a commit come in one datagram or several, and
//! the last of them holds the generation that it produced.

use super::super::commit::is_later;
use super::change_summary::{ChangeSummary, WatchedTables};
use super::subscription::Missed;
use super::{Commit, MonitorEvent, Process};
use crate::compile::managed_objects;
use crate::netlink::{Messages, Notification, decode_notification};

/// The part of a commit that has been read so far.
#[derive(Clone)]
pub(in super::super) struct CommitAssembler {
    watched: WatchedTables,
    summary: ChangeSummary,
    /// The low half of the generation that it produces; every message of a commit has it.
    generation_low: Option<u16>,
    /// Commits up to this generation may have been read in part only.
    since: u32,
}

impl CommitAssembler {
    /// Begins when the ruleset is at this generation or a later one.
    pub fn starting_at(generation: u32) -> CommitAssembler {
        let watched = WatchedTables::of(&managed_objects());
        CommitAssembler {
            watched,
            summary: ChangeSummary::default(),
            generation_low: None,
            since: generation,
        }
    }

    /// Records what was missed, and returns whether anything was.
    pub(super) fn note_missed(&mut self, missed: Option<Missed>) -> bool {
        if let Some(Missed::Until(generation)) = missed {
            self.since = generation;
        }
        missed.is_some()
    }

    /// Drops an unfinished commit, because some of it was lost.
    pub fn reset(&mut self) {
        self.summary = ChangeSummary::default();
        self.generation_low = None;
    }

    /// Reads a datagram and appends the commits that it completes.
    pub fn read(&mut self, datagram: &[u8], events: &mut Vec<MonitorEvent>) {
        let mut messages = Messages::new(datagram);
        for message in messages.by_ref().filter(|message| message.nft().is_some()) {
            let (Some(half), Some(notification)) =
                (message.generation(), decode_notification(&message))
            else {
                self.summary.add_unknown();
                continue;
            };
            self.check_generation(half);
            match notification {
                Notification::Change(change) => self.summary.add(&change, &self.watched),
                Notification::NewGeneration { generation, process } => {
                    let process = process.map(|(id, name)| Process { id, name: name.into() });
                    events.push(self.complete(generation, process));
                }
            }
        }
        if !messages.is_at_end() {
            self.summary.add_unknown();
        }
    }

    /// An unfinished commit of another generation is treated as having changed anything.
    fn check_generation(&mut self, half: u16) {
        if self.generation_low.is_some_and(|other| other != half) {
            self.reset();
            self.summary.add_unknown();
        }
        self.generation_low = Some(half);
    }

    fn complete(&mut self, generation: u32, process: Option<Process>) -> MonitorEvent {
        let summary = std::mem::take(&mut self.summary);
        self.generation_low = None;
        if !is_later(generation, self.since) {
            return MonitorEvent::Overrun;
        }
        self.since = generation;
        MonitorEvent::Commit(Commit { generation, process, summary })
    }
}
