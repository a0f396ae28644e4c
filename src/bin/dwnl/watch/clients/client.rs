//! A client of the control socket: it sends requests, one after the other, and reads answers and events.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Maximum length of a request, with the end of its line, in bytes.
pub const REQUEST_MAX: usize = 16 * 1024;
/// Maximum time for a client to complete a line that it has begun, or to read a part of what it is sent.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Number of unread bytes from which on events are dropped.
const EVENTS_MAX: usize = 256 * 1024;

/// A client.
pub struct Client {
    stream: UnixStream,
    /// Its user.
    pub uid: u32,
    received: Vec<u8>,
    unsent: Vec<u8>,
    /// The number of bytes of these that were sent.
    sent: usize,
    /// Whether a request waits for its answer.
    pub is_busy: bool,
    /// While it waits for something that nobody else needs; it ends with the client.
    interest: Option<Arc<()>>,
    /// Whether it reads events.
    pub is_subscribed: bool,
    /// Whether it is to be disconnected once everything is sent.
    is_ending: bool,
    /// The number of events that were dropped.
    dropped: u64,
    /// When it has last sent or read anything.
    pub last_active: Instant,
}

/// What a client has sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// A line, without its end.
    Line(Vec<u8>),
    /// A line that is too long. What follows cannot be read.
    TooLong,
}

impl Client {
    /// A client that has just connected.
    pub fn new(stream: UnixStream, uid: u32, now: Instant) -> Client {
        Client {
            stream,
            uid,
            received: Vec::new(),
            unsent: Vec::new(),
            sent: 0,
            is_busy: false,
            interest: None,
            is_subscribed: false,
            is_ending: false,
            dropped: 0,
            last_active: now,
        }
    }

    /// What to poll for. While a change waits for its answer, nothing: it is made even if the client leaves.
    pub fn poll_fd(&self) -> Option<PollFd<'_>> {
        let events = match (self.has_unsent() || self.is_ending, self.reads()) {
            (true, _) => PollFlags::POLLOUT,
            (false, true) => PollFlags::POLLIN,
            // The end of the connection.
            (false, false) if self.interest.is_some() => PollFlags::empty(),
            (false, false) => return None,
        };
        Some(PollFd::new(self.stream.as_fd(), events))
    }

    /// When it has taken too long.
    pub fn deadline(&self) -> Option<Instant> {
        let is_stalled = self.has_unsent() || (self.reads() && !self.received.is_empty());
        is_stalled.then(|| self.last_active + STALL_TIMEOUT)
    }

    /// Whether it can be disconnected in favour of another one.
    pub fn is_idle(&self) -> bool {
        !self.is_busy && !self.is_subscribed && !self.has_unsent()
    }

    /// What ends when it leaves, or has got its answer.
    pub fn interest(&mut self) -> Weak<()> {
        Arc::downgrade(self.interest.insert(Arc::new(())))
    }

    /// Whether it has left although something waits for it that nobody else needs.
    pub fn has_left(&self) -> bool {
        let mut stream = [PollFd::new(self.stream.as_fd(), PollFlags::empty())];
        self.interest.is_some() && poll(&mut stream, PollTimeout::ZERO) != Ok(0)
    }

    /// Whether its next request may be read: the answer to the last one is sent.
    fn reads(&self) -> bool {
        !self.is_busy && !self.is_ending && !self.has_unsent()
    }

    fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// The next line that has arrived. Never more is read than one request needs.
    ///
    /// # Errors
    /// If it has left, or has taken too long.
    pub fn receive(&mut self, now: Instant) -> io::Result<Option<Received>> {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if self.has_left() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.flush(now)?;
        if self.is_ending && !self.has_unsent() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if !self.reads() {
            return Ok(None);
        }
        if let Some(line) = self.line() {
            return Ok(Some(line));
        }
        let room = REQUEST_MAX.saturating_sub(self.received.len()) as u64;
        let before = self.received.len();
        let read = Read::by_ref(&mut self.stream).take(room).read_to_end(&mut self.received);
        if self.received.len() > before && before == 0 {
            self.last_active = now;
        }
        match (self.line(), read) {
            (Some(line), _) => Ok(Some(line)),
            (None, Err(error)) if is_pending(&error) => Ok(None),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn line(&mut self) -> Option<Received> {
        match self.received.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let mut line: Vec<u8> = self.received.drain(..=end).collect();
                line.pop();
                Some(Received::Line(line))
            }
            None if self.received.len() >= REQUEST_MAX => Some(Received::TooLong),
            None => None,
        }
    }

    /// Sends a line.
    ///
    /// # Errors
    /// If it has left.
    pub fn send(&mut self, line: Vec<u8>, now: Instant) -> io::Result<()> {
        (self.is_busy, self.interest) = (false, None);
        self.push(line, now)
    }

    fn push(&mut self, line: Vec<u8>, now: Instant) -> io::Result<()> {
        if self.unsent.is_empty() {
            (self.unsent, self.sent, self.last_active) = (line, 0, now);
        } else {
            self.unsent.extend_from_slice(&line);
        }
        self.flush(now)
    }

    /// Sends an event, or drops it if too much is unread. `dropped` is the event that says how many were
    /// dropped before.
    ///
    /// # Errors
    /// If it has left.
    pub fn send_event(
        &mut self,
        line: &[u8],
        dropped: impl FnOnce(u64) -> Vec<u8>,
        now: Instant,
    ) -> io::Result<()> {
        if self.unsent.len() - self.sent + line.len() > EVENTS_MAX {
            self.dropped += 1;
            return Ok(());
        }
        let mut lines = match std::mem::take(&mut self.dropped) {
            0 => Vec::new(),
            number => dropped(number),
        };
        lines.extend_from_slice(line);
        self.push(lines, now)
    }

    /// Has it disconnected once everything is sent.
    pub fn end(&mut self) {
        self.is_ending = true;
    }

    /// Sends as much as the socket takes.
    fn flush(&mut self, now: Instant) -> io::Result<()> {
        while let Some(rest) = self.unsent.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => (self.sent, self.last_active) = (self.sent + length, now),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_pending(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        (self.unsent, self.sent) = (Vec::new(), 0);
        Ok(())
    }
}

fn is_pending(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Client, UnixStream) {
        let (one, other) = UnixStream::pair().expect("a pair");
        one.set_nonblocking(true).expect("a mode");
        (Client::new(one, 0, Instant::now()), other)
    }

    fn line(text: &str) -> Option<Received> {
        Some(Received::Line(text.as_bytes().to_vec()))
    }

    #[test]
    fn requests_are_taken_one_after_the_other() {
        let (mut client, mut peer) = pair();
        let now = Instant::now();
        peer.write_all(b"one\ntwo\nth").expect("to write");
        assert_eq!(client.receive(now).expect("a line"), line("one"));
        client.is_busy = true;
        assert_eq!(client.receive(now).expect("nothing"), None);
        client.send(b"1\n".to_vec(), now).expect("to send");
        assert_eq!(client.receive(now).expect("a line"), line("two"));
        assert_eq!(client.receive(now).expect("nothing"), None);
        assert!(client.deadline().is_some());
        peer.write_all(b"ree\n").expect("to write");
        drop(peer);
        assert_eq!(client.receive(now).expect("a line"), line("three"));
        assert!(client.deadline().is_none() && client.receive(now).is_err());
    }

    #[test]
    fn a_line_that_is_too_long_or_slow_ends_the_connection() {
        let (mut client, mut peer) = pair();
        let now = Instant::now();
        peer.write_all(&[b'x'; REQUEST_MAX]).expect("to write");
        assert_eq!(client.receive(now).expect("an end"), Some(Received::TooLong));
        client.end();
        assert!(client.receive(now).is_err());
        let (mut client, mut peer) = pair();
        for second in [0, 10, 20] {
            peer.write_all(b"x").expect("to write");
            let now = now + Duration::from_secs(second);
            assert_eq!(client.receive(now).expect("no line"), None);
        }
        assert!(client.receive(now + STALL_TIMEOUT).is_err());
    }

    #[test]
    fn a_subscriber_that_does_not_read_loses_events_and_learns_how_many() {
        let (mut client, mut peer) = pair();
        let now = Instant::now();
        let event = [&[b'e'; 9_999][..], b"\n"].concat();
        let dropped = |number: u64| format!("{number}\n").into_bytes();
        for _ in 0..1_000 {
            client.send_event(&event, dropped, now).expect("to send");
        }
        assert!(client.unsent.len() - client.sent <= EVENTS_MAX && client.dropped > 0);
        let lost = client.dropped;
        peer.set_nonblocking(true).expect("a mode");
        let mut read = Vec::new();
        while client.has_unsent() {
            let _ = peer.read_to_end(&mut read);
            client.flush(now).expect("to send");
        }
        let _ = peer.read_to_end(&mut read);
        assert_eq!(read.len() as u64, (1_000 - lost) * event.len() as u64);
        client.send_event(b"last\n", dropped, now).expect("to send");
        read.clear();
        let _ = peer.read_to_end(&mut read);
        assert_eq!(String::from_utf8_lossy(&read), format!("{lost}\nlast\n"));
    }
}
