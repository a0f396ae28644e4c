//! The `[[allow]]` and `[[deny]]` entries.

use std::collections::HashMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::document::{Document, Strings, Value};
use super::group::Groups;
use super::{interface, limit, port, schedule, source};
use crate::model::{AddressSpec, Interface, Location, Name, Ports};
use crate::policy::diag::{Issue, Quoted};
use crate::policy::name::entry_name;
use crate::policy::{
    Allow, ContainerSelector, Deny, EntryBuilder, HostName, PolicyError, Zone, lint,
};

/// The keys of a `[[deny]]` entry.
const KEYS: [&str; 12] = [
    "name",
    "ports",
    "container",
    "compose",
    "label",
    "from",
    "except",
    "in-interface",
    "to",
    "until",
    "days",
    "hours",
];
/// The keys that an `[[allow]]` entry has besides.
const LIMIT_KEYS: [&str; 2] = ["limit", "connections"];

/// The keys that say which containers an entry is for.
const CONTAINER_KEYS: [&str; 3] = ["container", "compose", "label"];

/// Reads the entries of one policy.
pub(in crate::policy) struct Reader<'r, 't> {
    document: &'r mut Document<'t>,
    groups: &'r Groups,
    /// Whether the guard is on.
    has_guard: bool,
    /// Where each name was used first.
    names: HashMap<Name, Location>,
    /// The time zone of schedules.
    zone: Zone,
}

impl<'r, 't> Reader<'r, 't> {
    /// A reader of entries that name these groups, of a policy with this time zone, and with or without
    /// the guard.
    pub fn new(
        document: &'r mut Document<'t>,
        groups: &'r Groups,
        zone: Zone,
        has_guard: bool,
    ) -> Reader<'r, 't> {
        Reader { document, groups, names: HashMap::new(), zone, has_guard }
    }

    /// Reads the value of `allow`.
    pub fn allowed(&mut self, value: &Value) -> Vec<Allow> {
        self.entries("allow", value, Self::allow)
    }

    /// Reads the value of `deny`.
    pub fn denied(&mut self, value: &Value) -> Vec<Deny> {
        self.entries("deny", value, Self::deny)
    }

    fn entries<E>(
        &mut self,
        key: &str,
        value: &Value,
        read: impl Fn(&mut Self, &DeTable, &Range<usize>) -> Option<E>,
    ) -> Vec<E> {
        let tables = value.get_ref().as_array().filter(|array| {
            array.iter().all(|element| matches!(element.get_ref(), DeValue::Table(_)))
        });
        let Some(tables) = tables else {
            let help = format!("begin each entry with `[[{key}]]`, in double brackets");
            self.document.wrong_type(value, "an array of tables", help);
            return Vec::new();
        };
        let mut entries = Vec::with_capacity(tables.len());
        for element in tables.iter() {
            if let DeValue::Table(table) = element.get_ref() {
                entries.extend(read(self, table, &element.span()));
            }
        }
        entries
    }

    fn allow(&mut self, table: &DeTable, span: &Range<usize>) -> Option<Allow> {
        let before = self.document.errors.len();
        let keys = [&KEYS[..], &LIMIT_KEYS].concat();
        self.document.check_keys(table, " in an `[[allow]]` entry", &keys);
        let ports = match table.get("ports") {
            Some(value) => self.ports(value),
            None if CONTAINER_KEYS.iter().any(|key| table.contains_key(*key)) => Vec::new(),
            None => self.ports_required(span),
        };
        self.refuse_empty(table, "except");
        let limits = limit::limits(self.document, table, self.has_guard);
        let builder = self.common(table, span, Allow::builder(ports))?;
        self.built(before, table, span, || Ok(builder.build()?.with_limits(limits)))
    }

    fn deny(&mut self, table: &DeTable, span: &Range<usize>) -> Option<Deny> {
        let before = self.document.errors.len();
        self.document.check_keys(table, " in a `[[deny]]` entry", &KEYS);
        let builder = match table.get("ports") {
            Some(value) => Deny::builder().ports(self.ports(value)),
            None => Deny::builder(),
        };
        self.refuse_empty(table, "from");
        let builder = self.common(table, span, builder)?;
        self.built(before, table, span, || builder.build())
    }

    fn refuse_empty(&mut self, table: &DeTable, key: &str) {
        if let Some(value) = table.get(key) {
            self.groups.refuse_empty(self.document, value);
        }
    }

    /// Reads the keys that all entries have, except `ports`. `None` if a group that the entry names has an
    /// error of its own.
    fn common<E>(
        &mut self,
        table: &DeTable,
        span: &Range<usize>,
        mut entry: EntryBuilder<E>,
    ) -> Option<EntryBuilder<E>> {
        let name = table.get("name").and_then(|value| self.name(value));
        let from = table.get("from").map(|value| {
            self.groups.named_by(self.document, "from", value, PolicyError::EmptyFrom)
        });
        let except = table.get("except").map(|value| {
            self.groups.named_by(self.document, "except", value, PolicyError::EmptyExcept)
        });
        let in_interface = table.get("in-interface").and_then(|value| self.in_interface(value));
        let to = table.get("to").map(|value| self.to(value));
        let schedule = schedule::schedule(self.document, table, &self.zone, self.has_guard);
        entry = entry.at(self.document.at(span)).containers(self.containers(table));
        if let Some(name) = name {
            entry = entry.name(&*name);
        }
        if let Some(groups) = from {
            entry = entry.from(groups?);
        }
        if let Some(groups) = except {
            entry = entry.except(groups?);
        }
        if let Some(interface) = in_interface {
            entry = entry.in_interface(interface);
        }
        if let Some(addresses) = to {
            entry = entry.to(addresses);
        }
        if let Some(schedule) = schedule {
            entry = entry.schedule(schedule);
        }
        Some(entry)
    }

    /// The entry, if there is no error in it. `before` is the number of errors before it.
    fn built<E>(
        &mut self,
        before: usize,
        table: &DeTable,
        span: &Range<usize>,
        build: impl FnOnce() -> Result<E, PolicyError>,
    ) -> Option<E> {
        if self.document.errors.len() != before {
            return None;
        }
        let built = build().map_err(|error| {
            // The errors of single keys were reported above.
            let key = match &error {
                PolicyError::NameTakesAccess { key, .. } => key,
                _ => "to",
            };
            let at = table.get(key).map_or_else(|| span.clone(), |value| value.span());
            self.document.missing_error(at, error.into());
        });
        built.ok()
    }

    fn name(&mut self, value: &Value) -> Option<Name> {
        let name = self.document.string(value, "name", "web")?;
        let name = self.document.check(entry_name(name), value.span())?;
        if let Some(first) = self.names.get(&name) {
            let help = format!("the first entry with this name is at {first}");
            let issue = Issue::from(PolicyError::DuplicateName(name)).help(help);
            self.document.error(value.span(), issue);
            return None;
        }
        self.names.insert(name.clone(), self.document.at(&value.span()));
        Some(name)
    }

    fn ports(&mut self, value: &Value) -> Vec<Ports> {
        let expected = Strings { key: "ports", example: "443/tcp", meant: &port::values };
        self.parse_all(value, &expected, PolicyError::EmptyPorts, port::parse)
    }

    /// Reads the keys that say which containers an entry is for.
    fn containers(&mut self, table: &DeTable) -> ContainerSelector {
        let mut selector = ContainerSelector::default();
        for key in CONTAINER_KEYS {
            let Some(value) = table.get(key) else { continue };
            let (example, with): (_, fn(_, &str) -> _) = match key {
                "container" => ("shop-api-1", ContainerSelector::with_name),
                "compose" => ("shop/api", ContainerSelector::with_compose),
                _ => ("tier=front", ContainerSelector::with_label),
            };
            let Some(text) = self.document.string(value, key, example) else { continue };
            let with = with(selector.clone(), text).map_err(PolicyError::from);
            selector = self.document.check(with, value.span()).unwrap_or(selector);
        }
        selector
    }

    fn ports_required(&mut self, span: &Range<usize>) -> Vec<Ports> {
        let issue = Issue::new("the entry has no `ports`").help("add `ports = [\"443/tcp\"]`");
        self.document.missing_error(span.clone(), issue);
        Vec::new()
    }

    fn in_interface(&mut self, value: &Value) -> Option<Interface> {
        let text = match value.get_ref() {
            DeValue::Array(_) => {
                let help = "an entry has one interface: write an entry for each, or \"eth+\" for all \
                            whose names begin with eth";
                self.document.wrong_type(value, "a string", help.to_owned());
                return None;
            }
            _ => self.document.string(value, "in-interface", "eth1")?,
        };
        let interface = self.document.check(interface::parse(text), value.span())?;
        if let Some(kind) = lint::interface(&interface) {
            self.document.warn(value.span(), kind);
        }
        Some(interface)
    }

    fn to(&mut self, value: &Value) -> Vec<AddressSpec> {
        let expected = Strings { key: "to", example: "192.0.2.1", meant: &source::values };
        let groups = self.groups;
        self.warn_of_destinations(value);
        self.parse_all(value, &expected, PolicyError::EmptyTo, |text| {
            if groups.contains(text) {
                let message = format!("{} is a group of sources", Quoted(text));
                let help = "`to` takes only addresses, prefixes and ranges of this host";
                return Err(Issue::new(message).help(help));
            }
            source::parse(text).map_err(|issue| match text.parse::<HostName>() {
                Ok(_) if source::advice(text).is_none() => {
                    issue.help("write an address of this host, such as \"192.0.2.1\"")
                }
                _ => issue,
            })
        })
    }

    fn warn_of_destinations(&mut self, value: &Value) {
        let Some(array) = value.get_ref().as_array() else { return };
        for element in array.iter() {
            let addresses = element.get_ref().as_str().and_then(source::parse_plain);
            if let Some(kind) = addresses.and_then(|addresses| lint::destination(&addresses)) {
                self.document.warn(element.span(), kind);
            }
        }
    }

    /// Parses each string of an array, and reports the errors and an empty array.
    fn parse_all<T>(
        &mut self,
        value: &Value,
        expected: &Strings,
        empty: PolicyError,
        parse: impl Fn(&str) -> Result<T, Issue>,
    ) -> Vec<T> {
        let Some(strings) = self.document.strings(value, expected) else { return Vec::new() };
        if value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
            self.document.error(value.span(), empty);
        }
        let parse = |(text, span)| self.document.check(parse(text), span);
        strings.into_iter().filter_map(parse).collect()
    }
}
