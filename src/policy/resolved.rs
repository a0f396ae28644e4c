//! A policy with the addresses of its names.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::dns_name::distinct;
use super::{Allow, Deny, DnsName, Group, HostName, Policy, PolicyError, Source, size};
use crate::model::AddressSpec;

impl Policy {
    /// The names whose addresses are sources, each once, sorted by name. A name that is listed with
    /// different settings has the strictest of them.
    pub fn dns_names(&self) -> Vec<DnsName> {
        distinct(self.groups().flat_map(Group::names))
    }

    /// The policy in which each name stands for the addresses that `addresses` returns, in place of
    /// those that it stood for before. A name without addresses allows nobody.
    ///
    /// # Errors
    /// [`PolicyError::TooManyRules`].
    pub fn with_addresses(
        &self,
        addresses: impl Fn(&HostName) -> Vec<IpAddr>,
    ) -> Result<Policy, PolicyError> {
        let mut groups = ResolvedGroups { addresses, known: HashMap::new() };
        let mut policy = self.clone();
        let deny = policy.deny.iter_mut().map(Deny::entry_mut);
        let entries = deny.chain(policy.allow.iter_mut().map(Allow::entry_mut));
        for entry in entries.filter(|entry| entry.groups().any(|group| !group.names().is_empty())) {
            entry.replace_groups(|group| groups.resolve(group));
        }
        let tables = policy.guard.groups_mut().chain(policy.docker.groups_mut());
        tables.for_each(|group| groups.resolve(group));
        size::check(policy.entries(), policy.guard.swarm_peers().unwrap_or_default())?;
        Ok(policy)
    }

    /// The addresses that the names of the policy stand for, sorted. Names without addresses are left out.
    pub fn found_addresses(&self) -> BTreeMap<HostName, BTreeSet<IpAddr>> {
        let mut found: BTreeMap<HostName, BTreeSet<IpAddr>> = BTreeMap::new();
        for source in
            self.groups().filter(|group| !group.names().is_empty()).flat_map(Group::sources)
        {
            if let Some(host) = source.host() {
                found.entry(host.clone()).or_default().insert(source.addresses().first());
            }
        }
        found
    }
}

/// The groups with addresses in place of names. Groups that shared their sources still do.
struct ResolvedGroups<F> {
    addresses: F,
    known: HashMap<*const DnsName, Group>,
}

impl<F: Fn(&HostName) -> Vec<IpAddr>> ResolvedGroups<F> {
    fn resolve(&mut self, group: &mut Group) {
        if group.names().is_empty() {
            return;
        }
        let addresses = &self.addresses;
        let resolved = self.known.entry(group.names().as_ptr()).or_insert_with(|| {
            let found = group.names().iter().flat_map(|name| {
                let addresses = addresses(name.host()).into_iter();
                let specs = addresses.filter_map(|address| AddressSpec::host(address).ok());
                specs.map(|addresses| Source::found(addresses, name)).collect::<Vec<_>>()
            });
            group.with_found(found.collect())
        });
        *group = resolved.clone();
    }
}
