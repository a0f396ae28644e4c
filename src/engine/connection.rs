//! Sends requests over a transport and reads the answers: sequence numbers, timeouts, stale answers.

use std::io;

use nix::poll::PollTimeout;

use super::Error;
use super::error::io_error;
use crate::model::{ChainPath, Family, KernelRule};
use crate::netlink::{
    BEGIN_SEQUENCE, Dump, FinalizedBatch, KernelError, Message, Messages, Request, Transport,
    decode_generation, decode_kernel_rule,
};

/// How long the kernel may take for the next datagram of an answer, in milliseconds. It answers at once
/// or not at all.
const TIMEOUT_MS: u16 = 10_000;

/// How a dump ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DumpStatus {
    /// All objects, of one generation.
    Complete,
    /// Another program changed the ruleset meanwhile.
    Interrupted,
}

/// The kernel's answer to a batch.
#[derive(Debug, Default)]
pub(super) struct BatchAnswer {
    /// The errors with the sequence numbers of their messages, in the order of the messages.
    pub errors: Vec<(u32, KernelError)>,
    /// The generation afterwards.
    pub generation: u32,
}

/// A transport, with the last sequence number.
pub(super) struct Connection {
    transport: Box<dyn Transport>,
    sequence: u32,
}

impl Connection {
    pub fn new(transport: Box<dyn Transport>) -> Connection {
        Connection { transport, sequence: BEGIN_SEQUENCE }
    }

    /// Reads the generation of the ruleset.
    pub fn generation(&mut self) -> Result<u32, Error> {
        const ASKING: &str = "asking for the generation";
        let read = |message: Message| {
            let is_answer = message.is_nft(libc::NFT_MSG_NEWGEN);
            is_answer.then(|| decode_generation(message.attributes()))
        };
        let generation = self.ask(Request::generation, read)?;
        let generation = generation.map_err(|error| Error::from_kernel(error, ASKING))?;
        generation.ok_or(Error::Malformed("generation message without an id"))
    }

    /// Reads the rule with this handle, without the sets that it looks up; `None` if it does not exist.
    pub fn rule(&mut self, path: &ChainPath, handle: u64) -> Result<Option<KernelRule>, Error> {
        const ASKING: &str = "asking for a rule";
        let request = |sequence| Request::rule(path, handle, sequence);
        let read = |message: Message| {
            let is_answer = message.is_nft(libc::NFT_MSG_NEWRULE);
            is_answer.then(|| decode_kernel_rule(message.attributes(), path.table.family))
        };
        match self.ask(request, read)? {
            Ok(rule) => Ok(rule.map(|(_, _, rule)| rule)),
            Err(error) if error.errno == libc::ENOENT => Ok(None),
            Err(error) => Err(Error::from_kernel(error, ASKING)),
        }
    }

    /// Dumps objects of the ruleset and passes each to `read`, which returns whether it could decode it.
    pub fn dump(
        &mut self,
        what: Dump,
        family: Family,
        generation: u32,
        mut read: impl FnMut(Message) -> bool,
    ) -> Result<DumpStatus, Error> {
        let mut is_understood = true;
        let dumped = self.dump_some(what, family, generation, |message| {
            is_understood &= read(message);
            true
        })?;
        if !is_understood {
            return Err(Error::Malformed("malformed object in a dump"));
        }
        Ok(dumped)
    }

    /// As [`Connection::dump`], until `read` returns that it has enough. Another dump is then not
    /// possible any more.
    pub fn dump_some(
        &mut self,
        what: Dump,
        family: Family,
        generation: u32,
        mut read: impl FnMut(Message) -> bool,
    ) -> Result<DumpStatus, Error> {
        let request = Request::dump(what, family, self.next_sequence());
        let mut is_of_generation = true;
        let dumped = self.collect(&request, reading_a_dump, |message| {
            is_of_generation &= message.generation() == Some(generation as u16);
            read(message)
        })?;
        Ok(if is_of_generation { dumped } else { DumpStatus::Interrupted })
    }

    /// Dumps objects and passes each to `read`. `failure` maps an error of the kernel to how the dump
    /// ended, or why it failed.
    pub fn list(
        &mut self,
        request: impl Fn(u32) -> Request,
        failure: impl FnOnce(KernelError) -> Result<DumpStatus, Error>,
        mut read: impl FnMut(Message),
    ) -> Result<DumpStatus, Error> {
        let request = request(self.next_sequence());
        self.collect(&request, failure, |message| {
            read(message);
            true
        })
    }

    /// Asks for a dump, and passes each object to `read`, until it returns that it has enough.
    fn collect(
        &mut self,
        request: &Request,
        failure: impl FnOnce(KernelError) -> Result<DumpStatus, Error>,
        mut read: impl FnMut(Message) -> bool,
    ) -> Result<DumpStatus, Error> {
        self.send(&request.bytes, "asking for a dump")?;
        let mut dumped = DumpStatus::Complete;
        loop {
            let datagram = receive(self.transport.as_mut())?;
            for message in answers(datagram, request.sequence) {
                if let Some(error) = message.error().filter(|error| error.errno != 0) {
                    return failure(error);
                }
                if message.is_interrupted() {
                    dumped = DumpStatus::Interrupted;
                }
                if message.is_done() || !read(message) {
                    return Ok(dumped);
                }
            }
        }
    }

    /// Sends a request that one message answers, and what `read` reads from that. `Err` in the result:
    /// the kernel's error.
    pub fn ask<T>(
        &mut self,
        request: impl Fn(u32) -> Request,
        read: impl FnOnce(Message) -> Option<T>,
    ) -> Result<Result<T, KernelError>, Error> {
        let request = request(self.next_sequence());
        self.send(&request.bytes, "sending a request")?;
        loop {
            let datagram = receive(self.transport.as_mut())?;
            let Some(message) = answers(datagram, request.sequence).next() else { continue };
            return match message.error() {
                Some(error) => Ok(Err(error)),
                None => read(message).map(Ok).ok_or(Error::Malformed("malformed answer")),
            };
        }
    }

    /// Sends messages that need no batch, with sequence numbers below `end`. Returns the numbers of those
    /// that failed, with the errno.
    pub fn send_changes(&mut self, datagram: &[u8], end: u32) -> Result<Vec<(u32, i32)>, Error> {
        const CHANGING: &str = "deleting conntrack entries";
        self.send(datagram, CHANGING)?;
        let errors = self.waiting_errors(CHANGING, |sequence| sequence < end)?;
        Ok(errors.into_iter().map(|(sequence, error)| (sequence, error.errno)).collect())
    }

    /// Sends a batch and collects the kernel's errors.
    pub fn send_batch(&mut self, batch: &FinalizedBatch) -> Result<BatchAnswer, Error> {
        const READING: &str = "reading the replies to the transaction";
        self.send(batch.bytes(), "sending the transaction")?;
        // The kernel does not answer a batch that it has committed; the next request ends the wait.
        let is_ours = |sequence| batch.has(sequence);
        let mut errors = self.waiting_errors(READING, is_ours)?;
        errors.sort_by_key(|(sequence, _)| *sequence);
        Ok(BatchAnswer { errors, generation: self.generation()? })
    }

    /// The errors that the kernel has reported for what was sent last. They are waiting, because the
    /// kernel handles a datagram before `send` returns.
    fn waiting_errors(
        &mut self,
        what: &'static str,
        is_ours: impl Fn(u32) -> bool,
    ) -> Result<Vec<(u32, KernelError)>, Error> {
        let mut all = Vec::new();
        let mut overflow = None;
        loop {
            match self.transport.receive(PollTimeout::ZERO) {
                Ok(None) => break,
                Ok(Some(datagram)) => all.extend(errors(datagram, &is_ours)),
                Err(error) if is_overflow(&error) && overflow.is_none() => overflow = Some(error),
                Err(source) => return Err(io_error(what)(source)),
            }
        }
        // The first errors have arrived; those that did not fit are their consequences.
        match overflow.filter(|_| all.is_empty()) {
            Some(source) => Err(io_error(what)(source)),
            None => Ok(all),
        }
    }

    fn send(&mut self, datagram: &[u8], what: &'static str) -> Result<(), Error> {
        self.transport.send(datagram).map_err(|source| match source.raw_os_error() {
            Some(libc::EMSGSIZE) => Error::TooLarge { bytes: datagram.len() },
            _ => io_error(what)(source),
        })
    }

    /// Numbers that no batch uses, so that no answer is mistaken for another one.
    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1) | REQUEST_SEQUENCES;
        self.sequence
    }
}

/// The numbers of requests have this bit; a batch has fewer messages than that.
const REQUEST_SEQUENCES: u32 = 1 << 31;

fn receive(transport: &mut dyn Transport) -> Result<&[u8], Error> {
    const READING: &str = "reading a reply";
    match transport.receive(PollTimeout::from(TIMEOUT_MS)) {
        Ok(Some(datagram)) => Ok(datagram),
        Ok(None) => Err(io_error(READING)(io::ErrorKind::TimedOut.into())),
        Err(source) => Err(io_error(READING)(source)),
    }
}

fn reading_a_dump(error: KernelError) -> Result<DumpStatus, Error> {
    match error.errno {
        // The table or chain was deleted meanwhile.
        libc::ENOENT => Ok(DumpStatus::Interrupted),
        _ => Err(Error::from_kernel(error, "reading a dump")),
    }
}

/// Whether the receive buffer was full, so that messages were lost.
pub(super) fn is_overflow(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS)
}

/// The messages that answer one request.
fn answers(datagram: &[u8], sequence: u32) -> impl Iterator<Item = Message<'_>> {
    Messages::new(datagram).filter(move |message| message.sequence == sequence)
}

fn errors(datagram: &[u8], is_ours: impl Fn(u32) -> bool) -> Vec<(u32, KernelError)> {
    let answers = Messages::new(datagram).filter(|message| is_ours(message.sequence));
    let errors = answers.filter_map(|message| Some((message.sequence, message.error()?)));
    errors.filter(|(_, error)| error.errno != 0).collect()
}
