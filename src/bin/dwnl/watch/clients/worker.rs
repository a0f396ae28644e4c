//! The thread that does what takes long, so that repairs never wait for it.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use super::desk::{Desk, Facts};
use super::request::Call;
use super::{ClientId, PAUSE_FACTOR};

/// What a client asks for, with what the program knows.
pub struct Job {
    /// The request.
    pub call: Call,
    /// What the program knows.
    pub facts: Box<Facts>,
}

/// The thread. It ends with this value.
pub struct Worker {
    jobs: Sender<(ClientId, Job)>,
    answers: Receiver<(ClientId, Vec<u8>)>,
    /// Gets a byte after each answer.
    wake: PipeReader,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(desk: Desk) -> io::Result<Worker> {
        let (jobs, waiting) = channel();
        let (sender, answers) = channel();
        let (wake, waker) = io::pipe()?;
        let name = thread::Builder::new().name("control".to_owned());
        name.spawn(move || serve(desk, &waiting, &sender, waker))?;
        Ok(Worker { jobs, answers, wake })
    }

    /// Has something done. Returns whether the thread still runs.
    pub fn submit(&mut self, client: ClientId, job: Job) -> bool {
        self.jobs.send((client, job)).is_ok()
    }

    /// The answers since the last call.
    pub fn done(&mut self) -> Vec<(ClientId, Vec<u8>)> {
        let mut done = Vec::new();
        while let Ok(answer) = self.answers.try_recv() {
            // The byte follows the answer at once.
            let _ = self.wake.read(&mut [0]);
            done.push(answer);
        }
        done
    }
}

impl AsFd for Worker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// Does one job after the other, until nobody asks any longer.
fn serve(
    mut desk: Desk,
    jobs: &Receiver<(ClientId, Job)>,
    answers: &Sender<(ClientId, Vec<u8>)>,
    mut waker: PipeWriter,
) {
    while let Ok((client, job)) = jobs.recv() {
        let began = Instant::now();
        let answer = desk.answer(&job);
        drop(job);
        if answers.send((client, answer)).is_err() || waker.write_all(&[0]).is_err() {
            return;
        }
        thread::sleep(began.elapsed() * PAUSE_FACTOR);
    }
}
