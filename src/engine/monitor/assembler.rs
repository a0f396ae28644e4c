//! Notifications → notices. The messages of a commit come in one datagram or several, and the last of
//! them tells its generation.

use super::super::commit::is_later;
use super::change_summary::{Summary, Watched};
use super::subscription::Missed;
use super::{Commit, Notice, Process};
use crate::compile::frame;
use crate::netlink::{Messages, Notification, decode_notification};

/// What was heard of a commit that is not complete.
#[derive(Clone)]
pub(in super::super) struct Gathering {
    watched: Watched,
    summary: Summary,
    /// The low half of the generation that it brings about; every message of a commit has it.
    half: Option<u16>,
    /// Of commits up to this generation only a part may have been heard.
    since: u32,
}

impl Gathering {
    /// Begins when the ruleset is at this generation or, by now, at a later one.
    pub fn since(generation: u32) -> Gathering {
        let watched = Watched::of(&frame());
        Gathering { watched, summary: Summary::default(), half: None, since: generation }
    }

    /// Takes note of what was missed; whether it was anything.
    pub(super) fn has_missed(&mut self, missed: Option<Missed>) -> bool {
        if let Some(Missed::Until(generation)) = missed {
            self.since = generation;
        }
        missed.is_some()
    }

    /// Forgets what was heard of a commit, because some of it was lost.
    pub fn begin_anew(&mut self) {
        self.summary = Summary::default();
        self.half = None;
    }

    /// Reads a datagram and appends the commits that it completes.
    pub fn read(&mut self, datagram: &[u8], notices: &mut Vec<Notice>) {
        let mut messages = Messages::new(datagram);
        for message in messages.by_ref().filter(|message| message.nft().is_some()) {
            let (Some(half), Some(notification)) =
                (message.generation(), decode_notification(&message))
            else {
                self.summary.add_unknown();
                continue;
            };
            self.belong(half);
            match notification {
                Notification::Change(notified) => self.summary.add(&notified, &self.watched),
                Notification::End { generation, process } => {
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
    fn belong(&mut self, half: u16) {
        if self.half.is_some_and(|other| other != half) {
            self.begin_anew();
            self.summary.add_unknown();
        }
        self.half = Some(half);
    }

    fn complete(&mut self, generation: u32, process: Option<Process>) -> Notice {
        let summary = std::mem::take(&mut self.summary);
        self.half = None;
        if !is_later(generation, self.since) {
            return Notice::Lost;
        }
        self.since = generation;
        Notice::Commit(Commit { generation, process, summary })
    }
}
