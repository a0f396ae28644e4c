//! The names of the policy that `watch` keeps in force.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant, SystemTime};

use dwnl::Policy;
use dwnl::dns::KnownNames;
use dwnl::policy::{DnsName, HostName};

use super::worker::NameWorker;
use super::{problem, reports};
use crate::report::NameReport;
use crate::state::Store;

/// How long what was confirmed without a change may go unstored. After a restart it counts as older by as
/// much.
const UNSTORED_MAX: Duration = Duration::from_secs(10 * 60);
/// The pause before addresses that could not be put in force are tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

const ENDED: &str = "the thread that looks up names has ended; last known addresses become stale; reload the \
                     policy to start it again";

/// The names, with the addresses that were found last.
#[derive(Default)]
pub struct WatchedNames {
    names: Vec<DnsName>,
    known: KnownNames,
    worker: Option<NameWorker>,
    /// What is wrong with names, so that it is reported once.
    problems: BTreeMap<HostName, String>,
    /// When addresses end to count, or are to be put in force again.
    due: Option<Instant>,
    stored: Option<(Instant, KnownNames)>,
}

/// What the operator has to know.
pub enum NameNotice {
    /// Something is wrong.
    Warning(String),
    /// A name that could not be resolved is resolved again.
    Resolved(HostName),
}

impl WatchedNames {
    /// Reads what was known before the program was started.
    ///
    /// # Errors
    /// The reason why it cannot be read, as text.
    pub fn load(&mut self, store: Option<&Store>) -> Result<(), String> {
        let known = store.map(Store::known_names).transpose();
        self.known = known.map_err(|error| error.to_string())?.unwrap_or_default();
        Ok(())
    }

    /// The policy with the addresses that are known now. If it needs too many rules with them, its names
    /// allow nobody.
    pub fn resolve(&self, policy: &Policy) -> Policy {
        let names = policy.dns_names();
        if names.is_empty() {
            return policy.clone();
        }
        let now = SystemTime::now();
        let addresses = names.iter().map(|name| (name.host(), self.known.addresses(name, now)));
        let addresses: BTreeMap<_, _> = addresses.collect();
        let resolved =
            policy.with_addresses(|host| addresses.get(host).cloned().unwrap_or_default());
        let nobody = |_| policy.with_addresses(|_| Vec::new());
        resolved.or_else(nobody).unwrap_or_else(|_| policy.clone())
    }

    /// Keeps the names of the policy current from now on.
    ///
    /// # Errors
    /// If the thread that looks them up cannot be started.
    pub fn follow(&mut self, policy: &Policy) -> Result<(), String> {
        self.names = policy.dns_names();
        self.known.retain(&self.names);
        let followed: BTreeSet<&HostName> = self.names.iter().map(DnsName::host).collect();
        self.problems.retain(|host, _| followed.contains(host));
        self.schedule();
        if self.worker.is_none() && !self.names.is_empty() {
            self.worker = Some(NameWorker::start().map_err(|error| error.to_string())?);
        }
        if let Some(worker) = &self.worker {
            worker.follow(self.names.clone());
        }
        Ok(())
    }

    /// Takes over the answers that have arrived. Returns what to report, and whether anything may have
    /// changed.
    pub fn read(&mut self, now: Instant) -> (Vec<NameNotice>, bool) {
        let news = self.worker.as_mut().map(NameWorker::news).unwrap_or_default();
        let is_due = self.due.is_some_and(|due| due <= now);
        let has_changed = is_due || !news.is_empty();
        let (mut notices, time) = (Vec::new(), SystemTime::now());
        if self.worker.as_ref().is_some_and(NameWorker::has_ended) {
            self.worker = None;
            notices.push(NameNotice::Warning(ENDED.to_owned()));
        }
        for (name, answer) in &news {
            if !self.names.contains(name) {
                continue;
            }
            self.known.update(name.host(), answer, time);
            let host = name.host().clone();
            match problem(name, answer, &self.known, time) {
                Some(text) if self.problems.get(&host) == Some(&text) => {}
                Some(text) => {
                    notices.push(NameNotice::Warning(text.clone()));
                    self.problems.insert(host, text);
                }
                None => {
                    let was_problem = self.problems.remove(&host).is_some();
                    notices.extend(was_problem.then_some(NameNotice::Resolved(host)));
                }
            }
        }
        if has_changed {
            self.schedule();
        }
        (notices, has_changed)
    }

    /// The names with what is known of them now, for another thread.
    pub fn detached(&self) -> WatchedNames {
        let (names, known) = (self.names.clone(), self.known.clone());
        WatchedNames { names, known, ..WatchedNames::default() }
    }

    /// What each name stands for.
    pub fn reports(&self) -> Vec<NameReport> {
        reports(&self.names, &self.known)
    }

    /// The number of names that cannot be resolved, or not completely.
    pub fn problem_count(&self) -> usize {
        self.problems.len()
    }

    /// When to read the answers without an event.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What to poll for answers.
    pub fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        self.worker.as_ref().map(AsFd::as_fd)
    }

    /// Has the addresses put in force again in a moment, because that has failed.
    pub fn retry(&mut self, now: Instant) {
        self.due = Some(now + RETRY_PAUSE);
    }

    /// Stores what is known if it has changed, or was last stored a while ago.
    ///
    /// # Errors
    /// The reason why it is not stored, as text.
    pub fn record(&mut self, store: Option<&Store>, now: Instant) -> Result<(), String> {
        let Some(store) = store.filter(|_| !self.names.is_empty()) else { return Ok(()) };
        let stale = self.names.iter().map(DnsName::stale).min().unwrap_or_default();
        let is_fresh = self.stored.as_ref().is_some_and(|(at, known)| {
            now.saturating_duration_since(*at) < UNSTORED_MAX.min(stale / 4)
                && addresses(known).eq(addresses(&self.known))
        });
        if is_fresh {
            return Ok(());
        }
        store.record_names(&self.known).map_err(|error| error.to_string())?;
        self.stored = Some((now, self.known.clone()));
        Ok(())
    }

    fn schedule(&mut self) {
        let end = self.known.next_end(&self.names, SystemTime::now());
        self.due = end.and_then(|left| Instant::now().checked_add(left));
    }
}

fn addresses(known: &KnownNames) -> impl Iterator<Item = (&HostName, &[std::net::IpAddr])> {
    known.iter().map(|(host, addresses, _)| (host, addresses))
}
