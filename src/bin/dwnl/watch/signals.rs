//! The signals that the program is told by what to do next. They wait to be read, so that nothing is
//! ever interrupted.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// SIGHUP, SIGTERM and SIGINT, for as long as the value lives and beyond: they stay blocked.
pub struct Signals(SignalFd);

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalAction {
    /// That the policy is read again (SIGHUP).
    Reload,
    /// That the program ends (SIGTERM, SIGINT).
    Stop,
}

impl Signals {
    /// Blocks the signals, for the calling thread and those that it starts.
    pub fn block() -> io::Result<Signals> {
        let signals = SigSet::from_iter([Signal::SIGHUP, Signal::SIGTERM, Signal::SIGINT]);
        signals.thread_block()?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Signals(SignalFd::with_flags(&signals, flags)?))
    }

    /// What the next signal that waits asks for.
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
