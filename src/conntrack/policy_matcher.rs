//! Matches flows against a policy, quickly for many flows and sources.

use std::collections::HashMap;
use std::rc::Rc;

use super::AddressSet;
use crate::compile::swarm_entry;
use crate::model::{Protocol, Tuple};
use crate::policy::{Entry, Group, Policy, Source};

/// The entries of a policy, by published port.
pub(crate) struct PolicyMatcher {
    entries: HashMap<(Protocol, u16), Vec<Rc<AllowEntry>>>,
}

/// The conditions of an entry besides the port. `None`: no condition.
struct AllowEntry {
    from: Option<Vec<Rc<AddressSet>>>,
    to: Option<AddressSet>,
}

/// The address sets of groups, by identity: entries that name the same group share its sources.
type Groups = HashMap<*const Source, Rc<AddressSet>>;

impl PolicyMatcher {
    /// The entries of the policy that allow one of these ports.
    pub fn new(policy: &Policy, ports: impl Iterator<Item = (Protocol, u16)>) -> PolicyMatcher {
        let mut entries: HashMap<_, Vec<Rc<AllowEntry>>> =
            ports.map(|port| (port, vec![])).collect();
        let mut groups = Groups::new();
        for entry in policy.allow().iter().chain(&swarm_entry(policy.guard())) {
            let mut opened = entries
                .iter_mut()
                .filter(|((protocol, port), _)| allows_port(entry, *protocol, *port))
                .peekable();
            if opened.peek().is_some() {
                let entry = Rc::new(AllowEntry::from_entry(entry, &mut groups));
                opened.for_each(|(_, entries)| entries.push(Rc::clone(&entry)));
            }
        }
        PolicyMatcher { entries }
    }

    /// Whether the policy may allow a flow with this original tuple. Conntrack does not record the
    /// interface on which a flow arrived: an entry that requires one is assumed to match.
    pub fn allows(&self, original: &Tuple) -> bool {
        let entries = self.entries.get(&(original.protocol, original.destination_port));
        entries.is_some_and(|entries| entries.iter().any(|entry| entry.covers(original)))
    }
}

impl AllowEntry {
    fn from_entry(entry: &Entry, groups: &mut Groups) -> AllowEntry {
        let mut set = |group: &Group| {
            let key = group.sources().as_ptr();
            let build = || Rc::new(group.sources().iter().map(Source::addresses).collect());
            Rc::clone(groups.entry(key).or_insert_with(build))
        };
        AllowEntry {
            from: entry.sources().map(|groups| groups.iter().map(&mut set).collect()),
            to: (!entry.to().is_empty()).then(|| entry.to().iter().collect()),
        }
    }

    fn covers(&self, original: &Tuple) -> bool {
        let is_destination = |to: &AddressSet| to.contains(original.destination);
        let is_source = |group: &Rc<AddressSet>| group.contains(original.source);
        self.to.as_ref().is_none_or(is_destination)
            && self.from.as_ref().is_none_or(|groups| groups.iter().any(is_source))
    }
}

fn allows_port(entry: &Entry, protocol: Protocol, port: u16) -> bool {
    entry.ports().iter().any(|ports| ports.has(protocol, port))
}
