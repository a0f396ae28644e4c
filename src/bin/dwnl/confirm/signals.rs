//! The signals that end a trial, read from a descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What a terminal or a service manager sends to a process that should end.
const ENDING: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// The signals that end a trial, which stay blocked even after the value is dropped.
pub struct EndSignals(SignalFd);

impl EndSignals {
    /// Blocks the signals in the calling thread and in the processes that it forks.
    pub fn block() -> io::Result<EndSignals> {
        let signals = SigSet::from_iter(ENDING);
        signals.thread_block()?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(EndSignals(SignalFd::with_flags(&signals, flags)?))
    }

    /// Whether one has arrived.
    pub fn have_arrived(&self) -> bool {
        // An error would mean that signals cannot be read any longer: better to end the trial.
        !matches!(self.0.read_signal(), Ok(None))
    }
}

impl AsFd for EndSignals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
