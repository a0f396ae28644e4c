//! The connection between the process that applies the policy and its guardian: one JSON object on one
//! line each. The end of the connection is the death of the process at the other end.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::control::send;

/// What the applying process sends to its guardian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The policy is applied: the time begins.
    Applied,
    /// The operator has confirmed it.
    Confirm,
    /// Restore the previous rules.
    Restore,
    /// The verdict has arrived; the name of the trial is free as far as this process goes.
    Done,
}

/// What the guardian sends to the applying process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// It is ready to restore.
    Ready,
    /// It knows that the policy is applied.
    Watching,
    /// The policy stays in force.
    Confirmed,
    /// The previous rules are restored.
    Restored {
        /// Why.
        cause: Cause,
        /// What happened to flows, and what could not be restored, as sentences.
        notes: Vec<String>,
    },
    /// The previous rules could not be restored.
    Failed {
        /// Why.
        error: String,
    },
}

/// Why the previous rules are restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The policy was not confirmed in time.
    TimeOver,
    /// The applying process ended.
    ProcessEnded,
    /// The applying process asked for it.
    Ordered,
    /// `dwnl rollback` asked for it.
    RolledBack,
    /// The guardian received a signal.
    Signal,
}

/// One end of the connection. Reading never waits.
pub struct Link {
    stream: UnixStream,
    received: Vec<u8>,
    is_closed: bool,
}

/// What has arrived.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival<T> {
    /// A message.
    Message(T),
    /// The process at the other end has died.
    Closed,
    /// Nothing.
    Nothing,
}

impl Link {
    /// Both ends.
    pub fn pair() -> io::Result<(Link, Link)> {
        let (one, other) = UnixStream::pair()?;
        let link = |stream: UnixStream| -> io::Result<Link> {
            stream.set_nonblocking(true)?;
            Ok(Link { stream, received: Vec::new(), is_closed: false })
        };
        Ok((link(one)?, link(other)?))
    }

    /// Sends a message. If the process at the other end has died, reading finds that out.
    pub fn send(&mut self, message: &impl Serialize) {
        let _ = send(&mut self.stream, message);
    }

    /// The next message that has arrived.
    pub fn read<T: DeserializeOwned>(&mut self) -> Arrival<T> {
        self.fill();
        let Some(end) = self.received.iter().position(|byte| *byte == b'\n') else {
            return if self.is_closed { Arrival::Closed } else { Arrival::Nothing };
        };
        let line: Vec<u8> = self.received.drain(..=end).collect();
        // Both ends are the same program, so a message that cannot be read does not occur.
        serde_json::from_slice(&line).map_or(Arrival::Closed, Arrival::Message)
    }

    fn fill(&mut self) {
        let mut buffer = [0; 4096];
        while !self.is_closed {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.is_closed = true,
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.is_closed = true,
            }
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_in_order_before_the_end() {
        let (mut one, mut other) = Link::pair().expect("a pair");
        assert_eq!(other.read::<Order>(), Arrival::Nothing);
        one.send(&Order::Applied);
        one.send(&Order::Confirm);
        drop(one);
        assert_eq!(other.read(), Arrival::Message(Order::Applied));
        assert_eq!(other.read(), Arrival::Message(Order::Confirm));
        assert_eq!(other.read::<Order>(), Arrival::Closed);
        other.send(&Notice::Ready);
    }
}
