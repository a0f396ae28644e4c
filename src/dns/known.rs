//! The addresses that were found last.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::answer::Answer;
use crate::model::IpVersion;
use crate::policy::{DnsName, HostName};

/// The addresses that were found last for each name, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownNames(BTreeMap<HostName, [Option<Known>; 2]>);

/// The addresses of one IP version.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    addresses: Vec<IpAddr>,
    confirmed_at: SystemTime,
}

impl KnownNames {
    /// Takes over what was found now. An error keeps what was found before; a name that has addresses of
    /// one IP version, and of the other one none, has lost those of the other one.
    pub fn update(&mut self, host: &HostName, answer: &Answer, now: SystemTime) {
        let known = self.0.entry(host.clone()).or_default();
        for (known, version) in known.iter_mut().zip(IpVersion::ALL) {
            let addresses = match answer.of(version) {
                Ok(found) => found.addresses.clone(),
                Err(error) if error.is_absence() && answer.is_found() => Vec::new(),
                Err(_) => continue,
            };
            *known = Some(Known { addresses, confirmed_at: now });
        }
    }

    /// Adds what was known before the program was started.
    pub fn insert(&mut self, host: HostName, addresses: Vec<IpAddr>, confirmed_at: SystemTime) {
        let known = self.0.entry(host).or_default();
        for (known, version) in known.iter_mut().zip(IpVersion::ALL) {
            let of_version = |address: &&IpAddr| IpVersion::of(**address) == version;
            let addresses: Vec<IpAddr> = addresses.iter().filter(of_version).copied().collect();
            if !addresses.is_empty() {
                *known = Some(Known { addresses, confirmed_at });
            }
        }
    }

    /// The addresses of a name that count at this time: those that were confirmed at most
    /// [`DnsName::stale`] ago.
    pub fn addresses(&self, name: &DnsName, now: SystemTime) -> Vec<IpAddr> {
        let known = self.of(name.host()).filter(|it| age(it.confirmed_at, now) < name.stale());
        known.flat_map(|known| known.addresses.iter().copied()).collect()
    }

    /// When the addresses of a name were confirmed last; of those of one IP version that were confirmed
    /// earlier. `None` if it has none.
    pub fn confirmed_at(&self, host: &HostName) -> Option<SystemTime> {
        let known = self.of(host).filter(|known| !known.addresses.is_empty());
        known.map(|known| known.confirmed_at).min()
    }

    /// When the addresses of one of these names end to count, unless they are confirmed again.
    pub fn next_end(&self, names: &[DnsName], now: SystemTime) -> Option<Duration> {
        let ends = names.iter().flat_map(|name| {
            let known = self.of(name.host()).filter(|known| !known.addresses.is_empty());
            known.filter_map(|known| name.stale().checked_sub(age(known.confirmed_at, now)))
        });
        ends.filter(|left| !left.is_zero()).min()
    }

    /// When the addresses of the name end to count, unless they are confirmed again; those of one IP
    /// version may end earlier. `None` if it has none.
    pub fn end(&self, name: &DnsName) -> Option<SystemTime> {
        let known = self.of(name.host()).filter(|known| !known.addresses.is_empty());
        known.filter_map(|known| known.confirmed_at.checked_add(name.stale())).max()
    }

    /// Forgets all names but these.
    pub fn retain(&mut self, names: &[DnsName]) {
        self.0.retain(|host, _| names.iter().any(|name| name.host() == host));
    }

    /// Each name with its addresses of one IP version and when they were confirmed.
    pub fn iter(&self) -> impl Iterator<Item = (&HostName, &[IpAddr], SystemTime)> {
        self.0.iter().flat_map(|(host, known)| {
            let known = known.iter().flatten().filter(|known| !known.addresses.is_empty());
            known.map(move |known| (host, &known.addresses[..], known.confirmed_at))
        })
    }

    fn of(&self, host: &HostName) -> impl Iterator<Item = &Known> {
        self.0.get(host).into_iter().flatten().flatten()
    }
}

/// The time since; none if the clock has been set back.
fn age(since: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(since).unwrap_or_default()
}
