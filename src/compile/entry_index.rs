//! Which entries of a policy allow each of many ports, found in one pass over both.

use std::collections::{BTreeMap, HashMap};

use crate::model::{Ports, Protocol};
use crate::policy::Policy;

/// A port of a protocol.
type Port = (Protocol, u16);
/// An entry's index, and the place of ports in its list.
type Place = (usize, usize);

/// The entries of a policy that allow some ports.
pub(super) struct EntryIndex {
    /// For each port the indices of the entries, in their order, each with the ports among which it
    /// lists the port first.
    entries: HashMap<Port, Vec<(usize, Ports)>>,
}

/// What happens at a port, in this order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// From here on the entry does not list it at this place any more.
    End(Place),
    /// From here on it does.
    Begin(Place, Ports),
    /// The entries are asked for.
    Ask,
}

impl EntryIndex {
    /// The entries that allow these ports.
    pub fn of(policy: &Policy, asked: impl Iterator<Item = Port>) -> EntryIndex {
        let mut steps: Vec<(Port, Step)> = asked.map(|port| (port, Step::Ask)).collect();
        for (index, entry) in policy.allow().iter().enumerate() {
            for (place, ports) in entry.ports().iter().enumerate() {
                let place = (index, place);
                steps.push(((ports.protocol(), ports.first()), Step::Begin(place, *ports)));
                let behind = ports.last().checked_add(1);
                steps.extend(behind.map(|port| ((ports.protocol(), port), Step::End(place))));
            }
        }
        steps.sort_unstable();
        EntryIndex { entries: sweep(steps) }
    }

    /// The entries that allow a port that was asked for.
    pub fn allowing(&self, port: Port) -> &[(usize, Ports)] {
        self.entries.get(&port).map_or(&[], Vec::as_slice)
    }
}

fn sweep(steps: Vec<(Port, Step)>) -> HashMap<Port, Vec<(usize, Ports)>> {
    let mut found = HashMap::new();
    let mut open: BTreeMap<Place, Ports> = BTreeMap::new();
    let mut last = None;
    for ((protocol, port), step) in steps {
        if last.replace(protocol) != Some(protocol) {
            open.clear();
        }
        match step {
            Step::End(place) => drop(open.remove(&place)),
            Step::Begin(place, ports) => drop(open.insert(place, ports)),
            Step::Ask => {
                found.entry((protocol, port)).or_insert_with(|| by_entry(&open));
            }
        }
    }
    found
}

/// The first place of each entry.
fn by_entry(open: &BTreeMap<Place, Ports>) -> Vec<(usize, Ports)> {
    let mut entries: Vec<(usize, Ports)> =
        open.iter().map(|((index, _), ports)| (*index, *ports)).collect();
    entries.dedup_by_key(|(index, _)| *index);
    entries
}
