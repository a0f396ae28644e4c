//! Matches flows against a policy, quickly for many flows and sources.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::AddressSet;
use crate::compile::swarm_entry;
use crate::model::{Protocol, Tuple};
use crate::policy::{Entry, Group, Moment, Policy, Source};

/// The entries of a policy, by published port.
pub(crate) struct PolicyMatcher {
    entries: BTreeMap<(Protocol, u16), PortEntries>,
}

/// The entries for one port.
#[derive(Default)]
struct PortEntries {
    allow: Vec<Rc<EntryMatcher>>,
    deny: Vec<Rc<EntryMatcher>>,
}

/// The conditions of an entry besides the port. `None`: no condition.
struct EntryMatcher {
    from: Option<Vec<Rc<AddressSet>>>,
    to: Option<AddressSet>,
}

/// The address sets of groups, by identity: entries that name the same group share its sources.
type Groups = HashMap<*const Source, Rc<AddressSet>>;

impl PolicyMatcher {
    /// The entries of the policy that are for one of these ports, and apply at present.
    pub fn new(policy: &Policy, ports: impl Iterator<Item = (Protocol, u16)>) -> PolicyMatcher {
        let mut matcher =
            PolicyMatcher { entries: ports.map(|port| (port, PortEntries::default())).collect() };
        let mut groups = Groups::new();
        let now = Moment::now();
        let peers = swarm_entry(policy.guard());
        let allow = policy.allow().iter().chain(&peers);
        for entry in allow.filter(|entry| entry.applies_at(now)) {
            matcher.add(entry, &mut groups, |entries| &mut entries.allow);
        }
        // Nothing tells whether a flow came in by an interface.
        let certain = policy.deny().iter().filter(|entry| entry.in_interface().is_none());
        let certain = certain.filter(|entry| entry.applies_at(now));
        for entry in certain {
            matcher.add(entry, &mut groups, |entries| &mut entries.deny);
        }
        matcher
    }

    fn add(
        &mut self,
        entry: &Entry,
        groups: &mut Groups,
        list: impl Fn(&mut PortEntries) -> &mut Vec<Rc<EntryMatcher>>,
    ) {
        let mut matcher: Option<Rc<EntryMatcher>> = None;
        for ports in entry.ports() {
            let ends = [ports.first(), ports.last()].map(|port| (ports.protocol(), port));
            for (_, entries) in self.entries.range_mut(ends[0]..=ends[1]) {
                let build = || Rc::new(EntryMatcher::new(entry, groups));
                list(entries).push(Rc::clone(matcher.get_or_insert_with(build)));
            }
        }
    }

    /// Whether the policy may allow a flow with this original tuple. Conntrack does not record the
    /// interface on which a flow arrived: an entry that requires one is assumed to match if it allows, and
    /// not to match if it denies.
    pub fn allows(&self, original: &Tuple) -> bool {
        let entries = self.entries.get(&(original.protocol, original.destination_port));
        entries.is_some_and(|PortEntries { allow, deny }| {
            let any = |entries: &[Rc<EntryMatcher>]| entries.iter().any(|it| it.covers(original));
            any(allow) && !any(deny)
        })
    }
}

impl EntryMatcher {
    fn new(entry: &Entry, groups: &mut Groups) -> EntryMatcher {
        let mut set = |group: &Group| {
            let key = group.sources().as_ptr();
            let build = || Rc::new(group.sources().iter().map(Source::addresses).collect());
            Rc::clone(groups.entry(key).or_insert_with(build))
        };
        EntryMatcher {
            from: entry.sources().map(|groups| groups.iter().map(&mut set).collect()),
            to: (!entry.to().is_empty()).then(|| entry.to().iter().copied().collect()),
        }
    }

    fn covers(&self, original: &Tuple) -> bool {
        let is_destination = |to: &AddressSet| to.contains(original.destination);
        let is_source = |group: &Rc<AddressSet>| group.contains(original.source);
        self.to.as_ref().is_none_or(is_destination)
            && self.from.as_ref().is_none_or(|groups| groups.iter().any(is_source))
    }
}
