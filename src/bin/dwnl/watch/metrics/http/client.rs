//! A client from its connection to the end of its answer.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};

use super::listener::Connection;
use super::request::{self, Answer, REQUEST_MAX};
use super::response::{Page, Response};

/// Maximum time for a client to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum time for a client to receive its answer.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time for a client to close the connection. If it were closed at once, TCP would reset the
/// connection when more of the request arrives, and the client might lose the answer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum number of reads in one turn.
const READS_MAX: usize = 4;

/// A client.
pub struct Client {
    connection: Connection,
    state: State,
    /// When the current state ends at the latest.
    deadline: Instant,
}

enum State {
    /// Receives the request.
    Receiving(Vec<u8>),
    /// Waits for the metrics.
    Waiting(Answer),
    /// Sends the answer, of which this much has been sent.
    Sending { response: Response, is_head: bool, sent: usize },
    /// Waits for the client to close the connection.
    Closing,
}

/// Whether a client is still connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is.
    Open,
    /// It is done, has left or has taken too long.
    Done,
}

impl Client {
    /// A client that has just connected.
    pub fn new(connection: Connection, now: Instant) -> Client {
        let state = State::Receiving(Vec::new());
        Client { connection, state, deadline: now + REQUEST_TIMEOUT }
    }

    /// When it has to be looked at without an event.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What to poll for.
    pub fn poll_fd(&self) -> PollFd<'_> {
        let events = match self.state {
            State::Sending { .. } => PollFlags::POLLOUT,
            State::Receiving(_) | State::Closing => PollFlags::POLLIN,
            State::Waiting(_) => PollFlags::empty(),
        };
        PollFd::new(self.connection.as_fd(), events)
    }

    /// Whether it waits for the metrics.
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    /// Gives it the metrics if it waits for them.
    pub fn give(&mut self, metrics: &Response, now: Instant) {
        if let State::Waiting(answer) = self.state {
            self.send(metrics.clone(), answer.is_head, now);
        }
    }

    /// Receives and sends what can be without waiting.
    pub fn advance(&mut self, now: Instant) -> Progress {
        match self.try_advance(now) {
            Ok(Progress::Open) if self.deadline > now => Progress::Open,
            Ok(Progress::Open) if matches!(self.state, State::Receiving(_)) => {
                self.respond(Answer { page: Page::TooSlow, is_head: false }, now);
                self.try_advance(now).unwrap_or(Progress::Done)
            }
            Ok(_) | Err(_) => Progress::Done,
        }
    }

    fn try_advance(&mut self, now: Instant) -> io::Result<Progress> {
        if let State::Receiving(received) = &mut self.state {
            let progress = receive(&mut self.connection, received)?;
            // A client may close its side once it has sent the request.
            match request::answer(received) {
                Some(answer) => self.respond(answer, now),
                None => return Ok(progress),
            }
        }
        if let State::Sending { response, is_head, sent } = &mut self.state {
            if send(&mut self.connection, response.bytes(*is_head), sent)? == Progress::Open {
                return Ok(Progress::Open);
            }
            self.connection.finish()?;
            (self.state, self.deadline) = (State::Closing, now + CLOSE_TIMEOUT);
        }
        match self.state {
            State::Closing => discard(&mut self.connection),
            _ => Ok(Progress::Open),
        }
    }

    fn respond(&mut self, answer: Answer, now: Instant) {
        match Response::fixed(answer.page) {
            Some(response) => self.send(response, answer.is_head, now),
            None => (self.state, self.deadline) = (State::Waiting(answer), now + RESPONSE_TIMEOUT),
        }
    }

    fn send(&mut self, response: Response, is_head: bool, now: Instant) {
        self.state = State::Sending { response, is_head, sent: 0 };
        self.deadline = now + RESPONSE_TIMEOUT;
    }
}

/// Reads what has arrived of a request, up to its maximum length; done at the end of the connection.
fn receive(connection: &mut Connection, received: &mut Vec<u8>) -> io::Result<Progress> {
    let room = REQUEST_MAX.saturating_sub(received.len()) as u64;
    match Read::by_ref(connection).take(room).read_to_end(received) {
        Ok(_) if received.len() < REQUEST_MAX => Ok(Progress::Done),
        Ok(_) => Ok(Progress::Open),
        Err(error) if is_pending(&error) => Ok(Progress::Open),
        Err(error) => Err(error),
    }
}

/// Writes as much as the socket takes; done once everything is written.
fn send(connection: &mut Connection, bytes: &[u8], sent: &mut usize) -> io::Result<Progress> {
    while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) {
        match connection.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(length) => *sent += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_pending(&error) => return Ok(Progress::Open),
            Err(error) => return Err(error),
        }
    }
    Ok(Progress::Done)
}

/// Reads and forgets what the client still sends; done once it has closed the connection.
fn discard(connection: &mut Connection) -> io::Result<Progress> {
    let mut buffer = [0; 4096];
    for _ in 0..READS_MAX {
        match connection.read(&mut buffer) {
            Ok(0) => return Ok(Progress::Done),
            Ok(_) => {}
            Err(error) if is_pending(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(Progress::Open)
}

fn is_pending(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
