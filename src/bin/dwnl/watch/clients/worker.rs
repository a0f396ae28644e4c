//! The thread that does what takes long, so that repairs never wait for it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Weak;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use super::desk::{Desk, Facts};
use super::request::Call;
use super::{ClientId, PAUSE_FACTOR};
use crate::mailbox::{Inbox, Outbox, mailbox};

/// What a client asks for, with what the program knows.
pub struct Job {
    /// The request.
    pub call: Call,
    /// What the program knows.
    pub facts: Box<Facts>,
    /// What has ended if nobody wants the answer any more; `None`: it is always done.
    pub interest: Option<Weak<()>>,
}

/// Maximum number of jobs that wait.
const JOBS_MAX: usize = 128;

/// The thread. It ends with this value.
pub struct Worker {
    jobs: Sender<(ClientId, Job)>,
    answers: Inbox<(ClientId, Vec<u8>)>,
    /// The number of jobs without an answer.
    waiting: usize,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(desk: Desk) -> io::Result<Worker> {
        let (jobs, waiting) = channel();
        let (outbox, answers) = mailbox()?;
        let name = thread::Builder::new().name("control".to_owned());
        name.spawn(move || serve(desk, &waiting, outbox))?;
        Ok(Worker { jobs, answers, waiting: 0 })
    }

    /// Has something done.
    ///
    /// # Errors
    /// The reason why it is not, as text.
    pub fn submit(&mut self, client: ClientId, job: Job) -> Result<(), &'static str> {
        if self.waiting >= JOBS_MAX {
            return Err("too many requests wait for their answers");
        }
        self.waiting += 1;
        self.jobs.send((client, job)).map_err(|_| "the thread that serves requests has ended")
    }

    /// The answers since the last call.
    pub fn done(&mut self) -> Vec<(ClientId, Vec<u8>)> {
        let mut done = Vec::new();
        while let Ok(answer) = self.answers.try_recv() {
            self.waiting = self.waiting.saturating_sub(1);
            done.push(answer);
        }
        done
    }
}

impl AsFd for Worker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.answers.as_fd()
    }
}

/// Does one job after the other, until nobody asks any longer.
fn serve(
    mut desk: Desk,
    jobs: &Receiver<(ClientId, Job)>,
    mut answers: Outbox<(ClientId, Vec<u8>)>,
) {
    while let Ok((client, job)) = jobs.recv() {
        let began = Instant::now();
        let is_wanted = job.interest.as_ref().is_none_or(|interest| interest.strong_count() > 0);
        let answer = if is_wanted { desk.answer(&job) } else { Vec::new() };
        drop(job);
        if !answers.send((client, answer)) {
            return;
        }
        thread::sleep(began.elapsed() * PAUSE_FACTOR);
    }
}
