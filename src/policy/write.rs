//! Policies as text: the TOML that reads back as the same policy.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::path::Path;

use toml_writer::{ToTomlKey, ToTomlValue, TomlStringBuilder};

use super::parse::duration::DurationText;
use super::{
    ByContainer, DirectRouting, DnsName, DockerSettings, Entry, Established, Group, Guard, Limits,
    Log, Mark, Policy, Revoke, Schedule, Zone,
};
use crate::model::{Name, Ports};

impl Policy {
    /// The policy as the text of a policy file, complete in itself: the sources of source files are
    /// written out, and comments are lost. [`Policy::parse`] reads the same policy from it, with
    /// other locations.
    ///
    /// Equal policies have the same text. The sources that an entry lists itself follow its named
    /// groups, as one group. Groups that no entry uses are not part of a policy.
    pub fn to_toml(&self) -> String {
        let mut text = Text(String::new());
        text.sources(self);
        for entry in &self.deny {
            // Left out, they are read back in this order.
            let lists_ports = !entry.ports().iter().copied().eq(Ports::every());
            text.entry("[[deny]]", entry, lists_ports);
        }
        for entry in &self.allow {
            text.entry("[[allow]]", entry, true);
            text.limits(entry.limits());
        }
        text.docker(&self.docker);
        text.guard(&self.guard);
        text.revoke(self.revoke);
        text.log(self.log);
        text.schedule(self);
        text.0
    }
}

/// TOML that grows by one line after the other.
struct Text(String);

impl Text {
    fn sources(&mut self, policy: &Policy) {
        let named: BTreeMap<&Name, &Group> =
            policy.groups().filter_map(|group| Some((group.name()?, group))).collect();
        if named.is_empty() {
            return;
        }
        self.header("[sources]");
        for (name, group) in named {
            self.values(&name.as_ref().to_toml_key(), sources(group).chain(dns_names(group)));
        }
    }

    /// An entry. The entries that stand for one entry by container are written as that one, without what
    /// was found.
    fn entry(&mut self, header: &str, entry: &Entry, lists_ports: bool) {
        let by = entry.by_container();
        if by.is_some_and(|by| by.selector().is_none() || !by.is_first()) {
            return;
        }
        let ports = by.map_or(entry.ports(), ByContainer::listed_ports);
        let to = by.map_or(entry.to(), ByContainer::listed_destinations);
        let lists_ports = by.map_or(lists_ports, |_| !ports.is_empty());
        self.header(header);
        if let Some(name) = entry.name() {
            self.string("name", name);
        }
        for (key, value) in by.and_then(ByContainer::selector).into_iter().flat_map(|it| it.keys())
        {
            self.string(key, &value);
        }
        if lists_ports {
            self.list("ports", ports.iter().map(ToString::to_string));
        }
        if let Some(groups) = entry.from() {
            self.groups("from", groups);
        }
        if !entry.except().is_empty() {
            self.groups("except", entry.except());
        }
        if let Some(interface) = entry.in_interface() {
            self.string("in-interface", &interface.to_string());
        }
        if !to.is_empty() {
            self.list("to", to.iter().map(ToString::to_string));
        }
        if let Some(until) = entry.schedule().and_then(Schedule::until) {
            self.value("until", until);
        }
        if let Some(days) = entry.schedule().and_then(Schedule::days) {
            self.list("days", days.runs().into_iter());
        }
        let hours = entry.schedule().map(Schedule::hours).unwrap_or_default();
        if !hours.is_empty() {
            self.list("hours", hours.iter().map(ToString::to_string));
        }
    }

    fn limits(&mut self, Limits { limit, connections }: Limits) {
        if let Some(limit) = limit {
            self.string("limit", &limit.to_string());
        }
        if let Some(connections) = connections {
            self.value("connections", connections);
        }
    }

    /// Only the settings that differ from the default.
    fn guard(&mut self, guard: &Guard) {
        if *guard == Guard::default() {
            return;
        }
        self.header("[guard]");
        if !guard.is_enabled() {
            self.value("enabled", false);
        }
        if guard.mark() != Mark::DEFAULT {
            self.value("mark", guard.mark());
        }
        if guard.host_network() {
            self.value("host-network", true);
        }
        match guard.direct_routing() {
            DirectRouting::Drop => {}
            DirectRouting::Allowed => self.string("direct-routing", "allowed"),
        }
        if let Some(path) = guard.docker_cgroup() {
            self.string("docker-cgroup", path);
        }
        if !guard.host_cgroups().is_empty() {
            self.list("host-cgroups", guard.host_cgroups().iter().map(ToString::to_string));
        }
        if let Some(groups) = guard.swarm_peers() {
            self.groups("swarm-peers", groups);
        }
    }

    fn revoke(&mut self, revoke: Revoke) {
        match revoke.established() {
            Established::Keep => {}
            Established::Cut => {
                self.header("[revoke]");
                self.string("established", "cut");
            }
        }
    }

    fn log(&mut self, log: Log) {
        if let Some(target) = log.refused() {
            self.header("[log]");
            self.string("refused", &target.to_string());
        }
    }

    /// The time zone, which all schedules share.
    fn schedule(&mut self, policy: &Policy) {
        let zone = policy.entries().find_map(Entry::schedule).map(Schedule::zone);
        if let Some(zone) = zone.filter(|zone| **zone != Zone::default()) {
            self.header("[schedule]");
            self.string("time-zone", zone.name());
        }
    }

    fn docker(&mut self, docker: &DockerSettings) {
        let has_other_socket = docker.socket() != Path::new(DockerSettings::SOCKET);
        if !has_other_socket && docker.label_groups().is_none() {
            return;
        }
        self.header("[docker]");
        if has_other_socket {
            self.string("socket", &docker.socket().to_string_lossy());
        }
        if let Some(groups) = docker.label_groups() {
            self.value("labels", true);
            self.groups("label-groups", groups);
        }
    }

    /// The names of the groups that have one, and the sources of the others.
    fn groups(&mut self, key: &str, groups: &[Group]) {
        let names = groups.iter().filter_map(Group::name).map(|name| quoted(name));
        let own = || groups.iter().filter(|group| group.name().is_none());
        self.values(key, names.chain(own().flat_map(sources)).chain(own().flat_map(dns_names)));
    }

    fn header(&mut self, header: &str) {
        let separator = if self.0.is_empty() { "" } else { "\n" };
        self.line(format_args!("{separator}{header}"));
    }

    fn string(&mut self, key: &str, text: &str) {
        self.value(key, quoted(text));
    }

    /// Strings.
    fn list(&mut self, key: &str, texts: impl Iterator<Item = String>) {
        self.values(key, texts.map(|text| quoted(&text)));
    }

    /// One value, or one on each line.
    fn values(&mut self, key: &str, mut values: impl Iterator<Item = String>) {
        let first = values.next().unwrap_or_default();
        let Some(second) = values.next() else {
            return self.value(key, format_args!("[{first}]"));
        };
        self.line(format_args!("{key} = [\n    {first},\n    {second},"));
        for value in values {
            self.line(format_args!("    {value},"));
        }
        self.line("]");
    }

    fn value(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key} = {value}"));
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// The sources that the policy lists, without the addresses that were found for names.
fn sources(group: &Group) -> impl Iterator<Item = String> {
    let listed = group.sources().iter().filter(|source| source.host().is_none());
    listed.map(|source| quoted(&source.addresses().to_string()))
}

fn dns_names(group: &Group) -> impl Iterator<Item = String> {
    group.names().iter().map(dns_name)
}

/// Only the settings that differ from the default.
fn dns_name(name: &DnsName) -> String {
    let mut text = format!("{{ dns = {}", quoted(name.host().as_str()));
    let mut duration = |key: &str, value, default| {
        if value != default {
            text.push_str(&format!(", {key} = \"{}\"", DurationText(value)));
        }
    };
    duration("stale", name.stale(), DnsName::STALE);
    duration("min-ttl", name.min_ttl(), DnsName::MIN_TTL);
    if name.max_addresses() != DnsName::MAX_ADDRESSES {
        text.push_str(&format!(", max-addresses = {}", name.max_addresses()));
    }
    text + " }"
}

/// A basic string, with quotes and escapes.
pub(crate) fn quoted(text: &str) -> String {
    TomlStringBuilder::new(text).as_basic().to_toml_value()
}
