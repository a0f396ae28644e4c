//! Looks up names at several servers, one after the other, and several names at once.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::answer::{Answer, Found};
use super::error::LookupError;
use super::message::{Query, Reply};
use super::{client, servers};
use crate::model::IpVersion;
use crate::policy::DnsName;

/// How long each server is given in each round.
const TIMEOUTS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// Maximum number of names that are looked up at once.
const PARALLEL_MAX: usize = 16;

/// A client of DNS servers.
#[derive(Debug)]
pub struct Resolver {
    servers: Vec<SocketAddr>,
    /// The server that is asked first, because it answered last.
    first: AtomicUsize,
}

/// The state of a lookup.
struct Lookup {
    answer: Answer,
    /// The questions without an answer that counts.
    open: Vec<Query>,
}

impl Resolver {
    /// The servers that `/etc/resolv.conf` names now.
    pub fn of_system() -> Resolver {
        Resolver::new(servers::of_system())
    }

    /// These servers, in this order.
    pub fn new(servers: Vec<SocketAddr>) -> Resolver {
        Resolver { servers, first: AtomicUsize::new(0) }
    }

    /// Looks up the addresses of both IP versions. Blocks until the deadline at most.
    pub fn look_up(&self, name: &DnsName, deadline: Instant) -> Answer {
        let mut lookup = match Lookup::new(name) {
            Ok(lookup) => lookup,
            Err(error) => return Answer::failed(error),
        };
        for timeout in TIMEOUTS {
            let mut is_timeout = false;
            let first = self.first.load(Ordering::Relaxed);
            for turn in 0..self.servers.len() {
                if lookup.open.is_empty() || Instant::now() >= deadline {
                    break;
                }
                let index = first.wrapping_add(turn) % self.servers.len();
                let Some(server) = self.servers.get(index) else { continue };
                let until = deadline.min(Instant::now() + timeout);
                let asked = lookup.ask(*server, until);
                is_timeout |= matches!(asked, Err(LookupError::Timeout(_)));
                let next = if lookup.open.is_empty() { index } else { index + 1 };
                self.first.store(next, Ordering::Relaxed);
            }
            // What a server answered it would answer again.
            if !is_timeout {
                break;
            }
        }
        lookup.answer.limited(name)
    }

    /// Looks up several names at once. Blocks until the deadline at most; names that had no turn by then
    /// have the error [`LookupError::NoTime`].
    pub fn look_up_all(&self, names: &[DnsName], deadline: Instant) -> Vec<Answer> {
        let no_time = Answer::failed(LookupError::NoTime);
        let answers = Mutex::new(vec![no_time; names.len()]);
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((index, name)) = {
                let index = next.fetch_add(1, Ordering::Relaxed);
                names.get(index).map(|name| (index, name))
            } {
                if Instant::now() >= deadline {
                    return;
                }
                let answer = self.look_up(name, deadline);
                let mut answers = answers.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                if let Some(slot) = answers.get_mut(index) {
                    *slot = answer;
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..names.len().min(PARALLEL_MAX) {
                // Without another thread, this one does the work.
                let _ = thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        answers.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Lookup {
    fn new(name: &DnsName) -> Result<Lookup, LookupError> {
        let query = |version| {
            let id = getrandom::u32().map_err(|_| LookupError::NoRandom)?;
            Query::new(name.host(), version, (id >> 16) as u16)
        };
        let open = IpVersion::ALL.into_iter().map(query).collect::<Result<_, _>>()?;
        Ok(Lookup { answer: Answer::failed(LookupError::NoTime), open })
    }

    /// Asks a server what is still open. What it does not answer, or answers with an error, stays open.
    fn ask(&mut self, server: SocketAddr, deadline: Instant) -> Result<(), LookupError> {
        let Lookup { answer, open } = self;
        let mut done = Vec::new();
        let asked = client::ask(server, open, deadline, |query, bytes| {
            let version = query.version();
            let result = match bytes.map(|bytes| query.reply(bytes)) {
                Err(error) => Err(error),
                Ok(Reply::Answer(message)) => {
                    let found = query.addresses(&message);
                    answer.dropped.extend(found.dropped);
                    done.push(version);
                    found.found
                }
                Ok(Reply::NoSuchName) => {
                    done.push(version);
                    Err(LookupError::NoSuchName)
                }
                Ok(Reply::Error(code)) => Err(LookupError::Refused { server, code }),
                Ok(Reply::Truncated | Reply::Unrelated) => {
                    Err(LookupError::Malformed("it is cut off"))
                }
            };
            answer.set(version, result);
        });
        if let Err(error) = &asked {
            let open = open.iter().map(Query::version).filter(|it| !done.contains(it));
            open.for_each(|version| answer.set(version, Err(error.clone())));
        }
        open.retain(|query| !done.contains(&query.version()));
        asked
    }
}

impl Answer {
    fn set(&mut self, version: IpVersion, found: Result<Found, LookupError>) {
        match version {
            IpVersion::V4 => self.v4 = found,
            IpVersion::V6 => self.v6 = found,
        }
    }

    /// The answer without addresses if there are more than the name may have.
    fn limited(mut self, name: &DnsName) -> Answer {
        let permitted = name.max_addresses();
        for version in IpVersion::ALL {
            let found = self.of(version).as_ref().map_or(0, |found| found.addresses.len());
            if found > permitted {
                self.set(version, Err(LookupError::TooMany { found, permitted }));
            }
        }
        self.dropped.sort_unstable();
        self.dropped.dedup();
        self
    }
}
