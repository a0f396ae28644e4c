//! Messages from a thread to an event loop: a descriptor is readable while one waits.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

/// Makes both ends.
///
/// # Errors
/// If there is no pipe.
pub fn mailbox<T>() -> io::Result<(Outbox<T>, Inbox<T>)> {
    let (sender, messages) = channel();
    let (wake, waker) = io::pipe()?;
    Ok((Outbox { messages: sender, waker }, Inbox { messages, wake }))
}

/// Where the thread puts its messages.
pub struct Outbox<T> {
    messages: Sender<T>,
    /// Gets a byte after each message.
    waker: PipeWriter,
}

impl<T> Outbox<T> {
    /// Sends a message, and returns whether somebody may still receive it.
    pub fn send(&mut self, message: T) -> bool {
        self.messages.send(message).is_ok() && self.waker.write_all(&[0]).is_ok()
    }
}

/// Where the event loop takes them. When the thread has ended, the descriptor stays readable.
pub struct Inbox<T> {
    messages: Receiver<T>,
    wake: PipeReader,
}

impl<T> Inbox<T> {
    /// The next message.
    ///
    /// # Errors
    /// If there is none yet, or the thread has ended.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let message = self.messages.try_recv()?;
        // The byte follows the message at once.
        let _ = self.wake.read(&mut [0]);
        Ok(message)
    }
}

impl<T> AsFd for Inbox<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
