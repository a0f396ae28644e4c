//! A spinner on the terminal for actions of more than a second. The kernel works on one system
//! call, so the spinner shows the action and the elapsed time, not the progress.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const DELAY: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);

/// A spinner that appears after a second and disappears when it is dropped. It starts a thread, so
/// capabilities must be dropped before.
pub struct Spinner {
    work: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Spinner {
    /// Starts the thread; `action` is shown, such as `applying the policy`.
    pub fn start(action: &'static str) -> Spinner {
        let (work, ended) = channel();
        // Without a thread there is no spinner; the action itself is not affected.
        let thread = thread::Builder::new().spawn(move || spin(action, &ended)).ok();
        Spinner { work: Some(work), thread }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.work.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn spin(action: &'static str, ended: &Receiver<()>) {
    let lasts = |time| ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
    if !lasts(DELAY) {
        return;
    }
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let spinner =
        ProgressBar::new_spinner().with_style(style).with_message(action).with_elapsed(DELAY);
    loop {
        spinner.tick();
        if !lasts(TICK) {
            break;
        }
    }
    spinner.finish_and_clear();
}
