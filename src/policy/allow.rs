//! The `[[allow]]` entries.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::document::{Document, Strings, Value};
use super::group::Groups;
use super::issue::{Issue, Quoted};
use super::{Allow, Group, interface, port, source};
use crate::model::{AddressSpec, COMMENT_MAX, Interface, IpVersion, Location, Ports};

const KEYS: [&str; 5] = ["name", "ports", "from", "in-interface", "to"];

/// Reads the entries of one policy.
pub(super) struct Reader<'r, 't> {
    document: &'r mut Document<'t>,
    groups: &'r Groups,
    /// Where each name was used first.
    names: HashMap<Arc<str>, Location>,
}

impl<'r, 't> Reader<'r, 't> {
    /// A reader of entries that name these groups.
    pub fn new(document: &'r mut Document<'t>, groups: &'r Groups) -> Reader<'r, 't> {
        Reader { document, groups, names: HashMap::new() }
    }

    /// Reads the value of `allow`.
    pub fn entries(&mut self, value: &Value) -> Vec<Allow> {
        let tables = value.get_ref().as_array().filter(|array| {
            array.iter().all(|element| matches!(element.get_ref(), DeValue::Table(_)))
        });
        let Some(tables) = tables else {
            let help = "write `[[allow]]`, with two brackets, above each entry".to_owned();
            self.document.wrong_type(value, "an array of tables", help);
            return Vec::new();
        };
        let mut entries = Vec::with_capacity(tables.len());
        for element in tables.iter() {
            if let DeValue::Table(table) = element.get_ref() {
                entries.extend(self.entry(table, &element.span()));
            }
        }
        entries
    }

    fn entry(&mut self, table: &DeTable, span: &Range<usize>) -> Option<Allow> {
        let before = self.document.errors.len();
        self.document.check_keys(table, " in an `[[allow]]` entry", &KEYS);
        let name = table.get("name").and_then(|value| self.name(value));
        let ports = match table.get("ports") {
            Some(value) => self.ports(value),
            None => self.ports_required(span),
        };
        let from =
            table.get("from").map(|value| self.groups.named_by(self.document, "from", value));
        let in_interface = table.get("in-interface").and_then(|value| self.in_interface(value));
        let to = table.get("to").map(|value| (self.to(value), value.span()));
        if self.document.errors.len() != before {
            return None;
        }
        if let (Some(from), Some((to, span))) = (&from, &to) {
            self.check_families(from, to, span);
        }
        let to = to.map(|(to, _)| to).unwrap_or_default();
        Some(Allow { name, ports, from, in_interface, to, at: Some(self.document.at(span)) })
    }

    fn name(&mut self, value: &Value) -> Option<Arc<str>> {
        let name = self.document.string(value, "name", "web")?;
        if let Some(fault) = validate_name(name) {
            self.document.error(value.span(), fault);
            return None;
        }
        let name: Arc<str> = name.into();
        let at = self.document.at(&value.span());
        if let Some(first) = self.names.get(&name) {
            let fault = Issue::new(format!("the name {} is used twice", Quoted(&name)));
            let help = format!("the first entry of this name is at {first}");
            self.document.error(value.span(), fault.help(help));
            return None;
        }
        self.names.insert(name.clone(), at);
        Some(name)
    }

    fn ports(&mut self, value: &Value) -> Vec<Ports> {
        let expected = Strings { key: "ports", example: "443/tcp", suffix: "/tcp" };
        let Some(strings) = self.document.strings(value, &expected) else { return Vec::new() };
        if value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
            let fault = Issue::new("`ports` is empty").help("write `ports = [\"443/tcp\"]`");
            self.document.error(value.span(), fault);
        }
        self.parse_all(strings, port::parse)
    }

    fn ports_required(&mut self, span: &Range<usize>) -> Vec<Ports> {
        let fault = Issue::new("the entry has no `ports`").help("add `ports = [\"443/tcp\"]`");
        self.document.missing_error(span.clone(), fault);
        Vec::new()
    }

    fn in_interface(&mut self, value: &Value) -> Option<Interface> {
        let text = self.document.string(value, "in-interface", "eth1")?;
        match interface::parse(text) {
            Ok(interface) => Some(interface),
            Err(fault) => {
                self.document.error(value.span(), fault);
                None
            }
        }
    }

    fn to(&mut self, value: &Value) -> Vec<AddressSpec> {
        let expected = Strings { key: "to", example: "192.0.2.1", suffix: "" };
        let Some(strings) = self.document.strings(value, &expected) else { return Vec::new() };
        if value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
            let fault = Issue::new("`to` is empty, so the entry would never match")
                .help("name an address of this host, or leave `to` out to mean all of them");
            self.document.error(value.span(), fault);
        }
        let groups = self.groups;
        self.parse_all(strings, |text| match groups.get(text) {
            Some(_) => Err(Issue::new(format!("{} is a group of sources", Quoted(text)))
                .help("`to` takes addresses, prefixes and ranges of this host only")),
            None => source::parse(text),
        })
    }

    /// Parses each string, reports the faults and drops what is there already.
    fn parse_all<T: Copy + Eq + Hash>(
        &mut self,
        strings: Vec<(&str, Range<usize>)>,
        parse: impl Fn(&str) -> Result<T, Issue>,
    ) -> Vec<T> {
        let mut seen = HashSet::new();
        let mut values = Vec::with_capacity(strings.len());
        for (text, span) in strings {
            match parse(text) {
                Ok(value) if seen.insert(value) => values.push(value),
                Ok(_) => {}
                Err(fault) => self.document.error(span, fault),
            }
        }
        values
    }

    /// Reports an entry that cannot match, because no packet comes from one family and goes to
    /// the other.
    fn check_families(&mut self, from: &[Group], to: &[AddressSpec], span: &Range<usize>) {
        let has_source = |version| {
            let mut sources = from.iter().flat_map(|group| group.sources.iter());
            sources.any(|source| source.addresses.version() == version)
        };
        let has_destination = |version| to.iter().any(|addresses| addresses.version() == version);
        let possible = |version: &IpVersion| has_source(*version) && has_destination(*version);
        let incomplete = from.iter().any(|group| group.sources.is_empty());
        if incomplete || IpVersion::ALL.iter().any(possible) {
            return;
        }
        let (sources, destinations) =
            if has_source(IpVersion::V4) { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
        let message = format!(
            "`from` has {sources} only and `to` has {destinations} only, so the entry never matches"
        );
        let help = "name sources and addresses of one family";
        self.document.error(span.clone(), Issue::new(message).help(help));
    }
}

/// Why a name cannot be the comment of a rule.
fn validate_name(name: &str) -> Option<Issue> {
    if name.is_empty() {
        return Some(Issue::new("the name is empty").help("leave it out, or write a word"));
    }
    if name.len() > COMMENT_MAX {
        let message = format!("the name is {} bytes long", name.len());
        return Some(
            Issue::new(message)
                .help(format!("the comment of a rule has at most {COMMENT_MAX} bytes")),
        );
    }
    let control = name.chars().find(|c| c.is_control())?;
    let message = format!("the name contains the control character {:?}", control);
    Some(Issue::new(message).help("write it as plain text in one line"))
}
