//! Reads what the guard refused on a thread of its own: the sets that a flood has filled take long to
//! read, and repairs must not wait for that.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

use dwnl::Engine;

use super::refusals::Refusals;
use crate::mailbox::{Inbox, Outbox, mailbox};

/// The refusals, or why they could not be read.
pub type ReadResult = Result<Refusals, String>;

/// The thread that reads. It ends with this value.
pub struct RefusalReader {
    requests: Sender<()>,
    results: Inbox<ReadResult>,
    is_reading: bool,
}

impl RefusalReader {
    /// Starts the thread, which reads with this engine.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(engine: Engine) -> io::Result<RefusalReader> {
        let (requests, requested) = channel();
        let (outbox, results) = mailbox()?;
        let name = thread::Builder::new().name("metrics".to_owned());
        name.spawn(move || serve(engine, &requested, outbox))?;
        Ok(RefusalReader { requests, results, is_reading: false })
    }

    /// Whether a result is still to come.
    pub fn is_reading(&self) -> bool {
        self.is_reading
    }

    /// What was read since the last call. If nothing was, it begins to read, and the descriptor is
    /// readable when that is done.
    pub fn fresh(&mut self) -> Option<ReadResult> {
        if !self.is_reading {
            self.is_reading = self.requests.send(()).is_ok();
        }
        match self.results.try_recv() {
            Ok(result) => {
                self.is_reading = false;
                Some(result)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.is_reading = false;
                Some(Err("the thread that reads them has ended".to_owned()))
            }
        }
    }
}

impl AsFd for RefusalReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.results.as_fd()
    }
}

fn read(engine: &mut Engine) -> Result<Refusals, dwnl::Error> {
    let refusals = Refusals::from(engine.refused()?);
    Ok(refusals.with_grants(&engine.grant_summary()?))
}

/// Answers each request, until nobody asks any longer.
fn serve(mut engine: Engine, requests: &Receiver<()>, mut results: Outbox<ReadResult>) {
    while requests.recv().is_ok() {
        let result = read(&mut engine).map_err(|error| error.to_string());
        if !results.send(result) {
            return;
        }
    }
}
