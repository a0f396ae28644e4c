//! The addresses of the names in a policy: looked up by a command that ends, or by a thread of `watch`.

mod watched;
mod worker;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use dwnl::Policy;
use dwnl::dns::{Answer, KnownNames, LookupError, Resolver};
use dwnl::policy::DnsName;

use super::Freshness;
use crate::cli::drop_capabilities;
use crate::report::{HostLabels, NameReport, host_labels, join_limited};
use crate::state::Store;

pub use watched::{NameNotice, WatchedNames};

/// How long a command that ends waits for all answers together.
const PATIENCE: Duration = Duration::from_secs(4);
/// How much later the thread is given up.
const GRACE: Duration = Duration::from_millis(500);

/// The names of a policy, with the addresses that were found last.
#[derive(Default)]
pub struct Names {
    known: KnownNames,
    /// The names of the policy.
    names: Vec<DnsName>,
    /// The names by the addresses that they stood for before.
    before: HostLabels,
}

impl Names {
    /// The policy with the addresses of its names, and warnings about names that could not be resolved.
    /// What was found last is read from `store`. Waits a few seconds at most.
    ///
    /// # Errors
    /// If the policy needs too many rules with these addresses.
    pub fn resolve(
        &mut self,
        policy: Policy,
        store: Option<&Store>,
        freshness: Freshness,
    ) -> anyhow::Result<(Policy, Vec<String>)> {
        self.names = policy.dns_names();
        if self.names.is_empty() {
            return Ok((policy, Vec::new()));
        }
        let mut warnings = Vec::new();
        self.known = match store.map(Store::known_names).transpose() {
            Ok(known) => known.unwrap_or_default(),
            Err(error) => {
                warnings.push(format!("cannot read the last known addresses: {error}"));
                KnownNames::default()
            }
        };
        let before = self.known.iter().flat_map(|(host, addresses, _)| {
            addresses.iter().map(|address| (*address, host.to_string()))
        });
        self.before = before.collect();
        self.known.retain(&self.names);
        let now = SystemTime::now();
        let is_wanted = |name: &&DnsName| {
            freshness == Freshness::Fresh || self.known.addresses(name, now).is_empty()
        };
        let wanted: Vec<DnsName> = self.names.iter().filter(is_wanted).cloned().collect();
        let answers = look_up(wanted.clone());
        let now = SystemTime::now();
        for (name, answer) in wanted.iter().zip(&answers) {
            self.known.update(name.host(), answer, now);
            warnings.extend(problem(name, answer, &self.known, now));
        }
        Ok((self.apply(&policy)?, warnings))
    }

    /// The policy with the addresses that are known now.
    fn apply(&self, policy: &Policy) -> anyhow::Result<Policy> {
        let now = SystemTime::now();
        let addresses = self.names.iter().map(|it| (it.host(), self.known.addresses(it, now)));
        let addresses: BTreeMap<_, Vec<IpAddr>> = addresses.collect();
        Ok(policy.with_addresses(|host| addresses.get(host).cloned().unwrap_or_default())?)
    }

    /// The names by the addresses that they stand for in the policy, or stood for before.
    pub fn labels(&self, policy: &Policy) -> HostLabels {
        let mut labels = self.before.clone();
        labels.extend(host_labels(policy));
        labels
    }

    /// What each name of the policy stands for.
    pub fn reports(&self) -> Vec<NameReport> {
        reports(&self.names, &self.known)
    }

    /// Stores what was found.
    ///
    /// # Errors
    /// The reason why it is not stored, as text.
    pub fn record(&self, store: Option<&Store>) -> Result<(), String> {
        match store.filter(|_| !self.names.is_empty()) {
            Some(store) => store.record_names(&self.known).map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }
}

/// What names stand for now.
fn reports(names: &[DnsName], known: &KnownNames) -> Vec<NameReport> {
    let now = SystemTime::now();
    let report = |name: &DnsName| NameReport {
        name: name.host().to_string(),
        addresses: known.addresses(name, now),
        confirmed_at: known
            .confirmed_at(name.host())
            .map(|time| humantime::format_rfc3339_seconds(time).to_string()),
    };
    names.iter().map(report).collect()
}

/// Looks up names on threads without privileges: their answers come from anybody. A thread that hangs is
/// left behind.
fn look_up(names: Vec<DnsName>) -> Vec<Answer> {
    let no_answers = vec![Answer::failed(LookupError::NoTime); names.len()];
    if names.is_empty() {
        return no_answers;
    }
    let deadline = Instant::now() + PATIENCE;
    let (sender, receiver) = channel();
    let work = move || {
        if drop_capabilities().is_ok() {
            let _ = sender.send(Resolver::of_system().look_up_all(&names, deadline));
        }
    };
    let Ok(_) = thread::Builder::new().name("names".to_owned()).spawn(work) else {
        return no_answers;
    };
    receiver.recv_timeout(PATIENCE + GRACE).unwrap_or(no_answers)
}

/// What the operator has to know of an answer, if anything is wrong with it.
fn problem(name: &DnsName, answer: &Answer, known: &KnownNames, now: SystemTime) -> Option<String> {
    let host = name.host();
    let Some(error) = answer.error() else {
        let dropped: Vec<String> = answer.dropped.iter().map(IpAddr::to_string).collect();
        return (!dropped.is_empty()).then(|| {
            let addresses = join_limited(&dropped);
            format!(
                "{host} also has addresses that no client can have, which are left out: {addresses}"
            )
        });
    };
    let addresses: Vec<String> = known.addresses(name, now).iter().map(IpAddr::to_string).collect();
    let time = |time| humantime::format_rfc3339_seconds(time).to_string();
    Some(match (known.confirmed_at(host), known.end(name)) {
        _ if answer.is_found() => format!(
            "cannot resolve {host} completely: {error}; it stands for {}",
            join_limited(&addresses)
        ),
        (Some(since), Some(end)) if !addresses.is_empty() => format!(
            "cannot resolve {host}: {error}; it stands for {}, found last at {}, until {}",
            join_limited(&addresses),
            time(since),
            time(end)
        ),
        (Some(since), _) => format!(
            "cannot resolve {host}: {error}; it allows nobody, because it was resolved last at {}",
            time(since)
        ),
        _ => format!("cannot resolve {host}: {error}; it allows nobody"),
    })
}
