//! The published ports, and who may reach each of them.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;

use dwnl::engine::PolicyCounters;
use dwnl::model::{Ports, PublishedPort};
use dwnl::policy::{Allow, Group};
use dwnl::{Policy, PortCounters, PortCoverage};
use serde::Serialize;

use super::super::access::{SHOWN_MAX, texts};
use super::super::format::LocationReport;
use super::super::published::PublishedReport;
use super::refusals::{PortRefusals, Refusals};

/// A published port, or consecutive ones, with the entries that cover it.
#[derive(Debug, Serialize)]
pub struct PortReport<'a> {
    #[serde(flatten)]
    pub(super) published: PublishedReport,
    pub state: PortState,
    pub entries: Vec<EntryReport<'a>>,
    /// What was refused there; `None`: not recorded.
    pub refused: Option<PortRefusals>,
    #[serde(skip)]
    order: (u16, PublishedPort),
}

/// Who may reach a published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PortState {
    /// The sources of the entries.
    Allowed,
    /// Nobody: no entry covers it.
    Blocked,
    /// Everyone: the guard is off, and nothing else blocks it.
    Unprotected,
}

/// An entry that covers a published port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryReport<'a> {
    pub entry: Option<&'a str>,
    pub entry_location: Option<LocationReport<'a>>,
    /// The containers whose ports the entry is for; none if it lists its ports itself.
    pub containers: Vec<&'a str>,
    /// The ports of the entry that cover the published one; the counters are of all of them.
    #[serde(serialize_with = "super::super::format::display")]
    pub ports: Ports,
    pub in_interface: Option<String>,
    pub to: Vec<String>,
    /// The groups and the entry's own sources; `None`: anyone.
    pub from: Option<Vec<String>>,
    /// Addresses, prefixes and ranges; `None`: anyone.
    pub source_count: Option<usize>,
    /// The groups and sources that it excepts.
    pub except: Vec<String>,
    /// Packets let in, and their bytes; `None`: not counted.
    pub packets: Option<u64>,
    pub bytes: Option<u64>,
    /// The limits of the entry; `None` where there is none.
    pub limit: Option<String>,
    pub connections: Option<NonZeroU32>,
    /// Packets of flows above the limits; `None` without limits.
    pub limited: Option<u64>,
}

/// Ports that an entry lists, but Docker does not publish.
#[derive(Debug, Serialize)]
pub struct UnpublishedReport<'a> {
    #[serde(serialize_with = "super::super::format::display")]
    pub ports: Ports,
    /// The names of the entries that list them.
    pub entries: Vec<&'a str>,
    /// If it is the port of containers, the ports as which Docker publishes it.
    pub published_as: Vec<String>,
}

/// The counters by the index of their entry and by their ports.
struct CounterIndex<'a>(HashMap<(usize, Ports), &'a PortCounters>);

impl CounterIndex<'_> {
    fn of(counters: &PolicyCounters) -> CounterIndex<'_> {
        let mut index = HashMap::new();
        for entry in &counters.entries {
            for counted in &entry.ports {
                index.entry((entry.index, counted.ports)).or_insert(counted);
            }
        }
        CounterIndex(index)
    }
}

impl<'a> PortReport<'a> {
    /// The published ports in their order. With `verbose`, all sources are listed.
    pub fn all(
        policy: &'a Policy,
        coverage: &[PortCoverage],
        counters: &PolicyCounters,
        refusals: Option<&Refusals>,
        verbose: bool,
    ) -> Vec<PortReport<'a>> {
        let counters = CounterIndex::of(counters);
        let report = |coverage: &PortCoverage| PortReport {
            refused: refusals.map(|refusals| refusals.at(&coverage.published)),
            ..PortReport::new(policy, coverage, &counters, verbose)
        };
        let mut reports: Vec<PortReport> = coverage.iter().map(report).collect();
        reports.sort_by(|a, b| a.order.cmp(&b.order));
        reports
    }

    fn new(
        policy: &'a Policy,
        coverage: &PortCoverage,
        counters: &CounterIndex,
        verbose: bool,
    ) -> PortReport<'a> {
        let entries = coverage.entries.iter().filter_map(|(index, ports)| {
            let entry = policy.allow().get(*index)?;
            let counted = counters.0.get(&(*index, *ports)).copied();
            Some(EntryReport::new(entry, *ports, counted, verbose))
        });
        let peers = policy.guard().swarm_peers().filter(|_| coverage.is_for_swarm_peers);
        let peers = peers.map(|peers| EntryReport::swarm_peers(coverage, peers, verbose));
        let entries: Vec<EntryReport> = entries.chain(peers).collect();
        PortReport {
            published: PublishedReport::from(&coverage.published),
            state: match coverage.is_protected {
                false => PortState::Unprotected,
                true if entries.is_empty() => PortState::Blocked,
                true => PortState::Allowed,
            },
            entries,
            refused: None,
            order: (coverage.published.ports.first(), coverage.published.clone()),
        }
    }
}

impl PortReport<'_> {
    /// Whether the same entries cover both, so that their packets are counted together.
    pub fn shares_entries(&self, other: &PortReport) -> bool {
        !self.entries.is_empty() && (self.state, &self.entries) == (other.state, &other.entries)
    }
}

impl<'a> EntryReport<'a> {
    fn new(
        entry: &'a Allow,
        ports: Ports,
        counted: Option<&PortCounters>,
        verbose: bool,
    ) -> EntryReport<'a> {
        EntryReport {
            entry: entry.name().map(|name| &**name),
            entry_location: entry.at().map(LocationReport::from),
            containers: containers(entry),
            ports,
            in_interface: entry.in_interface().map(ToString::to_string),
            to: texts(entry.to()),
            from: entry.from().map(|groups| names(groups, verbose)),
            source_count: entry.from().map(source_count),
            except: names(entry.except(), verbose),
            packets: counted.map(|it| it.packets),
            bytes: counted.map(|it| it.bytes),
            limit: entry.limits().limit.map(|limit| limit.to_string()),
            connections: entry.limits().connections,
            limited: counted.and_then(|it| it.limited),
        }
    }

    /// `[guard] swarm-peers`, whose rules are not counted.
    fn swarm_peers(coverage: &PortCoverage, peers: &'a [Group], verbose: bool) -> EntryReport<'a> {
        EntryReport {
            entry: Some("swarm-peers"),
            entry_location: None,
            containers: Vec::new(),
            ports: coverage.published.ports,
            in_interface: None,
            to: Vec::new(),
            from: Some(names(peers, verbose)),
            source_count: Some(source_count(peers)),
            except: Vec::new(),
            packets: None,
            bytes: None,
            limit: None,
            connections: None,
            limited: None,
        }
    }
}

/// The containers for whose ports the entry is.
fn containers(entry: &Allow) -> Vec<&str> {
    let names = entry.by_container().map(|it| it.containers()).into_iter().flat_map(|it| it.iter());
    names.map(|name| &**name).collect()
}

pub(super) fn source_count(groups: &[Group]) -> usize {
    groups.iter().map(|group| group.sources().len()).sum()
}

/// The names of groups; and of those without a name the sources, and the host names in place of the
/// addresses that were found for them.
pub(super) fn names(groups: &[Group], verbose: bool) -> Vec<String> {
    let names = groups.iter().filter_map(Group::name).map(|name| name.to_string());
    let own = groups.iter().filter(|group| group.name().is_none()).flat_map(|group| {
        let listed = group.sources().iter().filter(|source| source.host().is_none());
        let listed = listed.map(|source| source.addresses().to_string());
        listed.chain(group.names().iter().map(|name| name.host().to_string()))
    });
    names.chain(own).take(if verbose { usize::MAX } else { SHOWN_MAX }).collect()
}

impl<'a> UnpublishedReport<'a> {
    /// Ports of the policy that Docker does not publish, with those as which it publishes them.
    pub fn all(
        policy: &'a Policy,
        ports: &BTreeMap<Ports, Vec<Ports>>,
    ) -> Vec<UnpublishedReport<'a>> {
        let report = |(ports, published_as): (&Ports, &Vec<Ports>)| {
            let entries = policy.allow().iter().filter(|entry| entry.ports().contains(ports));
            UnpublishedReport {
                ports: *ports,
                entries: entries.filter_map(|entry| entry.name()).map(|name| &**name).collect(),
                published_as: texts(published_as),
            }
        };
        ports.iter().map(report).collect()
    }
}
