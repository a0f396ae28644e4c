//! Notifications → notices. The messages of a commit come in one datagram or several, and the last of
//! them tells its generation.

use super::super::commit::is_later;
use super::change_summary::{ChangeSummary, WatchedTables};
use super::subscription::Missed;
use super::{Commit, MonitorEvent, Process};
use crate::compile::managed_objects;
use crate::netlink::{Messages, Notification, decode_notification};

/// What was heard of a commit that is not complete.
#[derive(Clone)]
pub(in super::super) struct CommitAssembler {
    watched: WatchedTables,
    summary: ChangeSummary,
    /// The low half of the generation that it brings about; every message of a commit has it.
    generation_low: Option<u16>,
    /// Of commits up to this generation only a part may have been heard.
    since: u32,
}

impl CommitAssembler {
    /// Begins when the ruleset is at this generation or, by now, at a later one.
    pub fn starting_at(generation: u32) -> CommitAssembler {
        let watched = WatchedTables::of(&managed_objects());
        CommitAssembler {
            watched,
            summary: ChangeSummary::default(),
            generation_low: None,
            since: generation,
        }
    }

    /// Takes note of what was missed; whether it was anything.
    pub(super) fn note_missed(&mut self, missed: Option<Missed>) -> bool {
        if let Some(Missed::Until(generation)) = missed {
            self.since = generation;
        }
        missed.is_some()
    }

    /// Forgets what was heard of a commit, because some of it was lost.
    pub fn reset(&mut self) {
        self.summary = ChangeSummary::default();
        self.generation_low = None;
    }

    /// Reads a datagram and appends the commits that it completes.
    pub fn read(&mut self, datagram: &[u8], notices: &mut Vec<MonitorEvent>) {
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
                Notification::Change(notified) => self.summary.add(&notified, &self.watched),
                Notification::NewGeneration { generation, process } => {
                    let process = process.map(|(id, name)| Process { id, name: name.into() });
                    notices.push(self.complete(generation, process));
                }
            }
        }
        if !messages.is_at_end() {
            self.summary.add_unknown();
        }
    }

    /// What there is of another commit, whose end was not heard, may be anything.
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
