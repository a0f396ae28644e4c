//! Policies as text: the TOML that reads back as the same policy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Write};
use std::net::IpAddr;
use std::path::Path;

use toml_writer::{ToTomlKey, ToTomlValue, TomlStringBuilder};

use super::parse::duration::DurationText;
use super::{
    ByContainer, DirectRouting, DnsName, DockerSettings, Entry, Established, Group, Guard, Limits,
    Log, Mark, Policy, Revoke, Schedule, Source, Zone,
};
use crate::model::{AddressSpec, Interval, IpVersion, Name, Ports, merge_intervals, to_u128};

impl Policy {
    /// The policy as the text of a policy file, complete in itself: the sources of source files are
    /// written out, and comments are lost. [`Policy::parse`] reads the same policy from it, with
    /// other locations.
    ///
    /// Equal policies have the same text. The sources that an entry lists itself follow its named
    /// groups, as one group. Groups that no entry uses are not part of a policy.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        self.write(Form::Faithful, &mut text);
        text
    }

    /// Writes [`Policy::to_toml`] piece by piece, without holding it.
    #[cfg(feature = "state")]
    pub(crate) fn write_toml(&self, out: &mut dyn Write) {
        self.write(Form::Faithful, out);
    }

    /// Writes the policy as text in which no choice without a meaning is left: lists are sorted and hold
    /// nothing twice, and a group is the smallest number of ranges for its addresses.
    #[cfg(feature = "state")]
    pub(crate) fn write_canonical_toml(&self, out: &mut dyn Write) {
        self.write(Form::Canonical, out);
    }

    /// What is equal if and only if [`Policy::to_toml`] is, and takes less time for many sources: they are
    /// numbers.
    #[cfg(feature = "state")]
    pub(crate) fn to_compact(&self) -> (String, Vec<u8>) {
        let mut text = String::new();
        let numbers = self.write(Form::Compact, &mut text);
        (text, numbers)
    }

    /// Returns the sources that the form leaves out of the text.
    fn write(&self, form: Form, out: &mut dyn Write) -> Vec<u8> {
        let buffer = String::with_capacity(2 * BUFFERED);
        let mut text = Text { out, buffer, is_empty: true, form, numbers: Vec::new() };
        text.sources(self);
        for entry in &self.deny {
            let lists_ports = match form {
                // Left out, they are read back in this order.
                Form::Faithful | Form::Compact => !entry.ports().iter().copied().eq(Ports::every()),
                Form::Canonical => !entry.is_for_every_port(),
            };
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
        text.flush();
        text.numbers
    }
}

/// What the text keeps of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The policy as it was written.
    Faithful,
    /// What it means.
    #[cfg_attr(not(feature = "state"), allow(dead_code))]
    Canonical,
    /// The policy as it was written, with the sources as numbers beside the text.
    #[cfg_attr(not(feature = "state"), allow(dead_code))]
    Compact,
}

/// A value of a list.
enum Value {
    /// As TOML.
    Text(String),
    /// A string without a character to escape. There may be a million, so they get no text of their own.
    Addresses(AddressSpec),
}

impl Default for Value {
    fn default() -> Value {
        Value::Text(String::new())
    }
}

impl Value {
    fn write_to(&self, out: &mut impl Write) -> fmt::Result {
        match self {
            Value::Text(text) => out.write_str(text),
            Value::Addresses(addresses) => {
                out.write_char('"')?;
                addresses.write_to(out)?;
                out.write_char('"')
            }
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// How many bytes are written at once.
const BUFFERED: usize = 16 << 10;

/// TOML that grows by one line after the other.
struct Text<'w> {
    out: &'w mut dyn Write,
    /// What is not written yet.
    buffer: String,
    /// Whether nothing is written yet.
    is_empty: bool,
    form: Form,
    /// The sources, if the form leaves them out of the text.
    numbers: Vec<u8>,
}

impl Text<'_> {
    fn sources(&mut self, policy: &Policy) {
        let named: BTreeMap<&Name, &Group> =
            policy.groups().filter_map(|group| Some((group.name()?, group))).collect();
        if named.is_empty() {
            return;
        }
        self.header("[sources]");
        for (name, group) in named {
            let values = self.sources_of(vec![group]).chain(dns_names(group));
            self.values(&name.as_ref().to_toml_key(), values);
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
        let names = groups.iter().filter_map(Group::name).map(|name| Value::Text(quoted(name)));
        let own: Vec<&Group> = groups.iter().filter(|group| group.name().is_none()).collect();
        let sources = self.sources_of(own.clone());
        self.values(key, names.chain(sources).chain(own.into_iter().flat_map(dns_names)));
    }

    fn header(&mut self, header: &str) {
        let separator = if self.is_empty { "" } else { "\n" };
        self.line(format_args!("{separator}{header}"));
    }

    fn string(&mut self, key: &str, text: &str) {
        self.value(key, quoted(text));
    }

    /// Strings.
    fn list(&mut self, key: &str, texts: impl Iterator<Item = String>) {
        self.values(key, texts.map(|text| Value::Text(quoted(&text))));
    }

    /// The sources that groups list, without the addresses that were found for names. None if they are kept
    /// as numbers: their count, and for each its IP version, its form and its ends.
    fn sources_of<'a>(&mut self, groups: Vec<&'a Group>) -> Box<dyn Iterator<Item = Value> + 'a> {
        let listed =
            groups.into_iter().flat_map(|group| group.sources()).filter_map(listed_addresses);
        match self.form {
            Form::Faithful => Box::new(listed.map(Value::Addresses)),
            Form::Canonical => Box::new(merged(listed).map(Value::Addresses)),
            Form::Compact => {
                self.numbers.extend((listed.clone().count() as u64).to_le_bytes());
                listed.for_each(|addresses| put_numbers(&mut self.numbers, addresses));
                Box::new(std::iter::empty())
            }
        }
    }

    /// One value, or one on each line.
    fn values(&mut self, key: &str, values: impl Iterator<Item = Value>) {
        match self.form {
            Form::Faithful | Form::Compact => self.write_values(key, values),
            Form::Canonical => {
                let values: BTreeSet<String> = values.map(|value| value.to_string()).collect();
                self.write_values(key, values.into_iter().map(Value::Text));
            }
        }
    }

    fn write_values(&mut self, key: &str, mut values: impl Iterator<Item = Value>) {
        let first = values.next().unwrap_or_default();
        let Some(second) = values.next() else {
            return self.value(key, format_args!("[{first}]"));
        };
        self.line(format_args!("{key} = [\n    {first},\n    {second},"));
        for value in values {
            self.buffer.push_str("    ");
            // Writing to a string does not fail.
            let _ = value.write_to(&mut self.buffer);
            self.buffer.push(',');
            self.end_line();
        }
        self.line("]");
    }

    fn value(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key} = {value}"));
    }

    fn line(&mut self, line: impl Display) {
        self.is_empty = false;
        // Writing to a string does not fail.
        let _ = write!(self.buffer, "{line}");
        self.end_line();
    }

    fn end_line(&mut self) {
        self.buffer.push('\n');
        if self.buffer.len() >= BUFFERED {
            self.flush();
        }
    }

    fn flush(&mut self) {
        // What can fail remembers its error itself.
        let _ = self.out.write_str(&self.buffer);
        self.buffer.clear();
    }
}

/// The smallest number of networks and ranges for these addresses.
fn merged(sources: impl Iterator<Item = AddressSpec>) -> impl Iterator<Item = AddressSpec> {
    let mut by_version = BTreeMap::<IpVersion, Vec<Interval>>::new();
    for source in sources {
        by_version.entry(source.version()).or_default().push(Interval::of(&source));
    }
    by_version.into_iter().flat_map(|(version, intervals)| {
        let merged = merge_intervals(intervals).into_iter();
        merged.map(move |interval| interval.addresses(version))
    })
}

/// The addresses, unless they were found for a name.
fn listed_addresses(source: &Source) -> Option<AddressSpec> {
    source.host().is_none().then_some(source.addresses())
}

/// Appends the IP version and the form, and then the ends in as many bytes as that implies.
fn put_numbers(numbers: &mut Vec<u8>, addresses: AddressSpec) {
    let form = u8::from(addresses.as_range().is_some());
    match (addresses.first(), addresses.last()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            numbers.push(form);
            numbers.extend(first.octets());
            numbers.extend(last.octets());
        }
        (first, last) => {
            numbers.push(form | 2);
            for end in [first, last] {
                numbers.extend(to_u128(end).to_be_bytes());
            }
        }
    }
}

fn dns_names(group: &Group) -> impl Iterator<Item = Value> {
    group.names().iter().map(|name| Value::Text(dns_name(name)))
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
