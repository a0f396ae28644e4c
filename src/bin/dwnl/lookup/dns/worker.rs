//! The thread of `watch` that looks up names. It may hang without harm: nobody waits for it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dwnl::dns::{Answer, Refresh, Resolver};
use dwnl::policy::{DnsName, HostName};

use crate::cli::drop_capabilities;
use crate::mailbox::{Inbox, Outbox, mailbox};

/// How long the answers of one round may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Lookups that are due within this time are made together.
const TOGETHER: Duration = Duration::from_millis(200);
/// The pause if there are no names.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// The answer for a name.
pub type NameNews = (DnsName, Answer);

/// The thread. It ends with this value, after its current lookup.
pub struct NameWorker {
    names: Sender<Vec<DnsName>>,
    news: Inbox<Vec<NameNews>>,
    thread: JoinHandle<()>,
}

impl NameWorker {
    /// Starts the thread.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start() -> io::Result<NameWorker> {
        let (names, wanted) = channel();
        let (outbox, news) = mailbox()?;
        let name = thread::Builder::new().name("names".to_owned());
        let thread = name.spawn(move || {
            // Answers come from anybody.
            if drop_capabilities().is_ok() {
                serve(&wanted, outbox);
            }
        })?;
        Ok(NameWorker { names, news, thread })
    }

    /// Sets the names to keep current. Those that are new are looked up at once.
    pub fn follow(&self, names: Vec<DnsName>) {
        // If the thread has ended, the last known addresses become stale.
        let _ = self.names.send(names);
    }

    /// Whether the thread has ended, so that its descriptor stays readable and names become stale.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// The answers since the last call.
    pub fn news(&mut self) -> Vec<NameNews> {
        let mut news = Vec::new();
        while let Ok(answers) = self.news.try_recv() {
            news.extend(answers);
        }
        news
    }
}

impl AsFd for NameWorker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.news.as_fd()
    }
}

/// A name with the time of its next lookup.
struct Slot {
    name: DnsName,
    refresh: Refresh,
    due: Instant,
}

fn serve(wanted: &Receiver<Vec<DnsName>>, mut news: Outbox<Vec<NameNews>>) {
    let mut slots: BTreeMap<HostName, Slot> = BTreeMap::new();
    loop {
        let due = slots.values().map(|slot| slot.due).min();
        let pause = due.map_or(IDLE, |due| due.saturating_duration_since(Instant::now()));
        match wanted.recv_timeout(pause) {
            Ok(names) => slots = follow(slots, names),
            Err(RecvTimeoutError::Timeout) => {
                let found = look_up(&mut slots);
                let is_sent = found.is_empty() || news.send(found);
                if !is_sent {
                    return;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// These names, with the times of those that were followed before.
fn follow(mut slots: BTreeMap<HostName, Slot>, names: Vec<DnsName>) -> BTreeMap<HostName, Slot> {
    let slot = |name: DnsName| {
        let host = name.host().clone();
        let fresh = || (Refresh::default(), Instant::now());
        let old = slots.remove(&host).map(|old| (old.refresh, old.due));
        let (refresh, due) = old.unwrap_or_else(fresh);
        (host, Slot { name, refresh, due })
    };
    names.into_iter().map(slot).collect()
}

/// Looks up the names that are due.
fn look_up(slots: &mut BTreeMap<HostName, Slot>) -> Vec<NameNews> {
    let until = Instant::now() + TOGETHER;
    let due: Vec<&mut Slot> = slots.values_mut().filter(|slot| slot.due <= until).collect();
    let names: Vec<DnsName> = due.iter().map(|slot| slot.name.clone()).collect();
    // The servers may have changed since the last time.
    let answers = Resolver::of_system().look_up_all(&names, Instant::now() + PATIENCE);
    let now = Instant::now();
    for (slot, answer) in due.into_iter().zip(&answers) {
        slot.due = now + slot.refresh.pause(&slot.name, answer);
    }
    names.into_iter().zip(answers).collect()
}
