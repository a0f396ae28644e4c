//! The changes of access, joined by entry and sources.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;
use std::sync::Arc;

use super::net::Net;
use super::{Addresses, Interfaces, Permit};
use crate::model::{AddressSpec, Name, Ports};

/// What sources gain or lose by an entry, net of what other entries allow: a source that another
/// entry allows neither gains nor loses access.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessChange {
    /// The name of the entry, as in [`Permit::entry`].
    pub entry: Option<Name>,
    /// Whether the entry is added or removed.
    pub kind: EntryChange,
    /// The published ports.
    pub ports: Vec<Ports>,
    /// The interface by which a packet has to come in; `None`: any.
    pub in_interface: Option<Interfaces>,
    /// The destination addresses on the host; empty: any.
    pub to: Vec<AddressSpec>,
    /// When the sources have access, as in [`Permit::times`]; empty: always.
    pub times: Vec<Name>,
    /// Whether the sources gain access or lose it.
    pub is_gain: bool,
    /// The sources.
    pub sources: Arc<Addresses>,
    /// Permits for other interfaces, destinations or times, by which some of these sources had access before
    /// (if they gain it), or keep it (if they lose it).
    pub except: Vec<Permit>,
}

/// What happens to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryChange {
    /// It did not exist before.
    Added,
    /// It does not exist any more.
    Removed,
    /// It exists before and after.
    Changed,
}

/// A change for consecutive ports and one destination.
pub(super) struct Part<'a> {
    pub permit: &'a Permit,
    pub kind: EntryChange,
    pub is_gain: bool,
    pub net: Net,
}

/// Collects parts, and joins those that differ in their ports or destination alone.
#[derive(Default)]
pub(super) struct Changes {
    list: Vec<AccessChange>,
    by_ports: HashMap<(Key, Vec<Ports>), usize>,
    sources: HashMap<Arc<Addresses>, Arc<Addresses>>,
}

/// What the parts of a change have in common.
type Key = (
    Option<Name>,
    EntryChange,
    (Option<Interfaces>, Vec<Name>),
    bool,
    *const Addresses,
    Vec<Permit>,
);

/// Maximum number of intervals of sources that are compared by their content. Longer lists are shared by
/// the permits of an entry anyway.
const COMPARED_MAX: usize = 1024;

impl Changes {
    /// Adds a part.
    pub fn push(&mut self, part: Part) {
        let Part { permit, kind, is_gain, net: Net { ports, addresses, partly } } = part;
        let change = AccessChange {
            entry: permit.entry.clone(),
            kind,
            ports: vec![ports],
            in_interface: permit.in_interface.clone(),
            to: permit.to.into_iter().collect(),
            times: permit.times.clone(),
            is_gain,
            sources: self.shared(addresses),
            except: partly,
        };
        if change.to.is_empty() {
            return self.list.push(change);
        }
        let (next, key) = (self.list.len(), (key(&change), change.ports.clone()));
        match self.list.get_mut(*self.by_ports.entry(key).or_insert(next)) {
            Some(joined) => joined.to.extend(change.to),
            None => self.list.push(change),
        }
    }

    /// The changes, in the order of their first parts.
    pub fn finish(self) -> Vec<AccessChange> {
        let mut joined: Vec<AccessChange> = Vec::new();
        let mut by_destinations = HashMap::new();
        for mut change in self.list {
            let next = joined.len();
            let index = *by_destinations.entry((key(&change), change.to.clone())).or_insert(next);
            match joined.get_mut(index) {
                Some(first) => join_ports(&mut first.ports, mem::take(&mut change.ports)),
                None => joined.push(change),
            }
        }
        joined
    }

    fn shared(&mut self, sources: Arc<Addresses>) -> Arc<Addresses> {
        if sources.count() > COMPARED_MAX {
            return sources;
        }
        Arc::clone(self.sources.entry(Arc::clone(&sources)).or_insert(sources))
    }
}

fn key(change: &AccessChange) -> Key {
    let AccessChange { entry, kind, in_interface, times, is_gain, sources, except, .. } = change;
    let sources = Arc::as_ptr(sources);
    let place = (in_interface.clone(), times.clone());
    (entry.clone(), *kind, place, *is_gain, sources, except.clone())
}

/// Adds ports; those that touch the last ones become one range with them.
fn join_ports(ports: &mut Vec<Ports>, more: Vec<Ports>) {
    for next in more {
        let touching = ports.last().filter(|last| {
            last.protocol() == next.protocol()
                && u32::from(last.last()) + 1 == u32::from(next.first())
        });
        let range =
            touching.and_then(|last| Ports::new(next.protocol(), last.first(), next.last()).ok());
        match (ports.last_mut(), range) {
            (Some(last), Some(range)) => *last = range,
            _ => ports.push(next),
        }
    }
}
