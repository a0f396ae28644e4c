//! The signals that control the program. They are read from a descriptor, so they interrupt nothing.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// SIGHUP, SIGTERM and SIGINT, which stay blocked even after the value is dropped.
pub struct Signals(SignalFd);

/// The action that a signal requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalAction {
    /// Read the policy again (SIGHUP).
    Reload,
    /// End the program (SIGTERM, SIGINT).
    Stop,
}

impl Signals {
    /// Blocks the signals in the calling thread and the threads that it starts.
    pub fn block() -> io::Result<Signals> {
        let signals = SigSet::from_iter([Signal::SIGHUP, Signal::SIGTERM, Signal::SIGINT]);
        signals.thread_block()?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Signals(SignalFd::with_flags(&signals, flags)?))
    }

    /// The action of the next pending signal.
    pub fn read(&self) -> io::Result<Option<SignalAction>> {
        let signal = self.0.read_signal()?;
        let is_hangup = |number: u32| i32::try_from(number) == Ok(Signal::SIGHUP as i32);
        Ok(signal.map(|info| {
            if is_hangup(info.ssi_signo) { SignalAction::Reload } else { SignalAction::Stop }
        }))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
