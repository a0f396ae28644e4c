//! Whether the policy lets a flow in, for very many flows and sources.

use std::collections::HashMap;
use std::rc::Rc;

use super::AddressSet;
use crate::compile::swarm_entry;
use crate::model::{Protocol, Tuple};
use crate::policy::{Allow, Group, Policy, Source};

/// The entries of a policy by the published ports that they open.
pub(crate) struct PolicyMatcher {
    permits: HashMap<(Protocol, u16), Vec<Rc<AllowEntry>>>,
}

/// What an entry asks of a flow besides its port. `None`: nothing.
struct AllowEntry {
    from: Option<Vec<Rc<AddressSet>>>,
    to: Option<AddressSet>,
}

/// The groups of sources by their identity: entries that name the same group share its sources.
type Groups = HashMap<*const Source, Rc<AddressSet>>;

impl PolicyMatcher {
    /// The policy's entries, as far as they open one of these ports.
    pub fn new(policy: &Policy, ports: impl Iterator<Item = (Protocol, u16)>) -> PolicyMatcher {
        let mut permits: HashMap<_, Vec<Rc<AllowEntry>>> =
            ports.map(|port| (port, vec![])).collect();
        let mut groups = Groups::new();
        for entry in policy.allow().iter().chain(&swarm_entry(policy.guard())) {
            let mut opened = permits
                .iter_mut()
                .filter(|((protocol, port), _)| opens(entry, *protocol, *port))
                .peekable();
            if opened.peek().is_some() {
                let permit = Rc::new(AllowEntry::from_allow(entry, &mut groups));
                opened.for_each(|(_, permits)| permits.push(Rc::clone(&permit)));
            }
        }
        PolicyMatcher { permits }
    }

    /// Whether a flow of this original tuple may be let in. Connection tracking does not know by
    /// which interface a flow came in: where an entry asks for one, the flow may have come in by it.
    pub fn allows(&self, original: &Tuple) -> bool {
        let permits = self.permits.get(&(original.protocol, original.destination_port));
        permits.is_some_and(|permits| permits.iter().any(|permit| permit.covers(original)))
    }
}

impl AllowEntry {
    fn from_allow(entry: &Allow, groups: &mut Groups) -> AllowEntry {
        let mut set = |group: &Group| {
            let key = group.sources().as_ptr();
            let build = || Rc::new(group.sources().iter().map(Source::addresses).collect());
            Rc::clone(groups.entry(key).or_insert_with(build))
        };
        AllowEntry {
            from: entry.from().map(|groups| groups.iter().map(&mut set).collect()),
            to: (!entry.to().is_empty()).then(|| entry.to().iter().collect()),
        }
    }

    fn covers(&self, original: &Tuple) -> bool {
        let is_called = |to: &AddressSet| to.contains(original.destination);
        let is_source = |group: &Rc<AddressSet>| group.contains(original.source);
        self.to.as_ref().is_none_or(is_called)
            && self.from.as_ref().is_none_or(|groups| groups.iter().any(is_source))
    }
}

fn opens(entry: &Allow, protocol: Protocol, port: u16) -> bool {
    entry.ports().iter().any(|ports| ports.has(protocol, port))
}
