//! The operator's terminal: Enter confirms.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{FlushArg, tcflush};
use nix::unistd::{getpgrp, tcgetpgrp};

/// Standard input, if it is a terminal in whose foreground the program runs.
pub struct Terminal(io::Stdin);

/// What the operator did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Pressed Enter.
    Enter,
    /// Typed something else.
    Other,
    /// The terminal is gone, or its input has ended.
    Gone,
}

impl Terminal {
    /// The terminal. What was typed before is discarded: it is no answer.
    pub fn open() -> Option<Terminal> {
        let stdin = io::stdin();
        let is_in_foreground = || tcgetpgrp(&stdin).is_ok_and(|group| group == getpgrp());
        if !stdin.is_terminal() || !is_in_foreground() {
            return None;
        }
        let _ = tcflush(&stdin, FlushArg::TCIFLUSH);
        Some(Terminal(stdin))
    }

    /// What the operator did, if anything. Does not wait.
    pub fn answer(&self) -> Option<Answer> {
        let mut sources = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut sources, PollTimeout::ZERO);
        let events = sources[0].revents().unwrap_or(PollFlags::empty());
        if ready.is_err() || events.is_empty() {
            return None;
        }
        let mut buffer = [0; 256];
        // The terminal passes on whole lines.
        match nix::unistd::read(&self.0, &mut buffer) {
            Ok(0) => Some(Answer::Gone),
            Ok(length) if buffer[..length].iter().all(u8::is_ascii_whitespace) => {
                Some(Answer::Enter)
            }
            Ok(_) => Some(Answer::Other),
            Err(Errno::EINTR) => None,
            Err(_) => Some(Answer::Gone),
        }
    }
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
