//! The `[sources]` table: groups of sources by name.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::document::{Document, Strings, Value};
use super::source_file::SourceFiles;
use super::{dns, list, source};
use crate::model::Name;
use crate::policy::diag::{Issue, Quoted, list, suggest};
use crate::policy::name::{group_name, looks_like_address};
use crate::policy::{DnsName, Group, PolicyError, Source, WarningKind, lint};

/// The groups of a policy.
#[derive(Default)]
pub(in crate::policy) struct Groups {
    /// By name; `None`: there is an error in the group.
    by_name: BTreeMap<Name, Option<Group>>,
    /// Those of source files that are empty without `allow-empty = true`.
    unexpectedly_empty: BTreeSet<Name>,
}

impl Groups {
    /// Maximum number of names with which an unknown word is compared: each comparison takes time.
    const COMPARED_MAX: usize = 1000;

    /// Reads the table, with the source files that it names.
    pub fn read(document: &mut Document, table: &DeTable, files: &mut SourceFiles) -> Groups {
        let mut groups = Groups::default();
        for (key, value) in table.iter() {
            let name = group_name(key.get_ref());
            let content = content(document, key.get_ref(), table, value, files);
            let group = name.map(|name| {
                content.map(|(sources, names)| Group::of(name, sources).with_names(names))
            });
            let group = document.check(group, key.span()).flatten();
            if group.as_ref().is_some_and(Group::is_empty) {
                document.warn(
                    key.span(),
                    WarningKind::EmptyGroup { name: key.get_ref().as_ref().into() },
                );
                if !may_be_empty(value) {
                    groups.unexpectedly_empty.insert(key.get_ref().as_ref().into());
                }
            }
            groups.by_name.insert(key.get_ref().as_ref().into(), group);
        }
        groups
    }

    /// Whether there is a group of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Reports the groups of an array of what an entry denies or excepts that are empty although nothing
    /// permits it: a list that is lost would let in everyone on it.
    pub fn refuse_empty(&self, document: &mut Document, value: &Value) {
        for element in value.get_ref().as_array().into_iter().flat_map(|array| array.iter()) {
            let name = element.get_ref().as_str();
            if let Some(name) = name.and_then(|name| self.unexpectedly_empty.get(name)) {
                document.error(element.span(), PolicyError::EmptyDenied(Name::clone(name)));
            }
        }
    }

    /// Reads the value of `key`: an array of group names, sources and tables of names. `None` if there is an error
    /// in it, or in a group that it names.
    pub fn named_by(
        &self,
        document: &mut Document,
        key: &str,
        value: &Value,
        empty: PolicyError,
    ) -> Option<Vec<Group>> {
        let meant = |word: &str| self.meant(word);
        let expected = Strings { key, example: "192.0.2.0/24", meant: &meant };
        let before = document.errors.len();
        if let Some(advice) = value.get_ref().as_str().and_then(source::advice) {
            document.error(value.span(), advice);
            return None;
        }
        let (strings, tables) = document.strings_and_tables(value, &expected)?;
        if value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
            document.error(value.span(), empty);
        }
        let (literals, words): (Vec<_>, Vec<_>) = strings.into_iter().partition(|(text, _)| {
            !self.contains(text) && (text.is_empty() || looks_like_address(text))
        });
        let mut groups = self.of_names(document, words);
        let sources = inline_sources(document, literals, |_, issue| issue);
        let names = dns_names(document, tables);
        let own = Group::unnamed(sources);
        let own = own.map(|own| own.with_names(names.iter().cloned()));
        if let (Some(groups), Ok(own)) = (&mut groups, own.or_else(|_| Group::unnamed_dns(names))) {
            groups.push(own);
        }
        groups.filter(|_| document.errors.len() == before)
    }

    fn of_names(
        &self,
        document: &mut Document,
        words: Vec<(&str, Range<usize>)>,
    ) -> Option<Vec<Group>> {
        let mut groups = Some(Vec::new());
        for (word, span) in words {
            if document.errors.is_full() {
                return None;
            }
            let group = self.by_name.get(word);
            if group.is_none() {
                document.missing_error(span, self.unknown(word));
            }
            groups = groups.zip(group.cloned().flatten()).map(|(mut groups, group)| {
                groups.push(group);
                groups
            });
        }
        groups
    }

    /// The groups and sources that a text in `from` stands for.
    fn meant(&self, text: &str) -> Option<Vec<String>> {
        if self.contains(text) { Some(vec![text.to_owned()]) } else { source::values(text) }
    }

    /// Why a word in `from` that is not a source is not a group either.
    fn unknown(&self, word: &str) -> Issue {
        let names = || self.by_name.keys().map(AsRef::as_ref);
        let issue = Issue::new(format!("unknown group {}", Quoted(word)));
        if let Some(advice) = source::advice(word) {
            return advice;
        }
        match suggest(word, names().take(Self::COMPARED_MAX)) {
            Some(near) => issue.help(format!("did you mean {}?", Quoted(near))),
            None if word.contains('.') => source::parse(word).err().unwrap_or(issue),
            None if self.by_name.is_empty() => issue.help("define it under `[sources]`"),
            None if self.by_name.len() > 10 => issue.help("it is not defined under `[sources]`"),
            None => issue.help(format!("the defined groups are {}", list(names()))),
        }
    }
}

/// Whether the group may have no sources where they are denied: one that is written in the policy itself, or
/// a source file with `allow-empty = true`.
fn may_be_empty(value: &Value) -> bool {
    let table = value.get_ref().as_table();
    table.is_none_or(|table| {
        table.get("allow-empty").is_some_and(|it| it.get_ref().as_bool() == Some(true))
    })
}

/// Reads sources that are written in the policy itself; `explain` may improve on an issue.
fn inline_sources<'v>(
    document: &mut Document,
    strings: impl IntoIterator<Item = (&'v str, Range<usize>)>,
    explain: impl Fn(&str, Issue) -> Issue,
) -> Vec<Source> {
    let mut sources = Vec::new();
    for (text, span) in strings {
        match source::parse(text) {
            Ok(addresses) => {
                sources.push(Source::located(addresses, document.at(&span)));
                if let Some(kind) = lint::source(&addresses) {
                    document.warn(span, kind);
                }
            }
            Err(issue) => document.error(span, explain(text, issue)),
        }
    }
    sources
}

/// Reads the tables of names in a list of sources.
fn dns_names(document: &mut Document, tables: Vec<(&DeTable, Range<usize>)>) -> Vec<DnsName> {
    let mut names = Vec::new();
    for (table, span) in tables {
        if let (None, Some(file)) = (table.get(dns::KEY), table.get("file")) {
            let issue = Issue::new("a source file cannot be an element of a list");
            let help = "make it a group of its own under `[sources]`, and list that in `from`";
            document.error(file.span(), issue.help(help));
            continue;
        }
        names.extend(dns::read(document, table, span).into_iter().flatten());
    }
    names
}

/// The sources of a group, and the names whose addresses are sources.
type Content = (Arc<Vec<Source>>, Vec<DnsName>);

fn content(
    document: &mut Document,
    name: &str,
    groups: &DeTable,
    value: &Value,
    files: &mut SourceFiles,
) -> Option<Content> {
    let before = document.errors.len();
    let content = match value.get_ref() {
        DeValue::Table(table) if table.contains_key(dns::KEY) => {
            (Arc::default(), dns::read(document, table, value.span())?)
        }
        DeValue::Table(table) => {
            let sources = list::read(document, name, table, value, files);
            return sources.map(|sources| (sources, Vec::new()));
        }
        DeValue::Array(_) => {
            let expected = Strings { key: name, example: "192.0.2.0/24", meant: &source::values };
            let (strings, tables) = document.strings_and_tables(value, &expected)?;
            let names = dns_names(document, tables);
            let sources =
                inline_sources(document, strings, |text, issue| match groups.contains_key(text) {
                    true => Issue::new(format!("{} is a group, not a source", Quoted(text)))
                        .help("groups cannot be nested; list both in `from`"),
                    false => issue,
                });
            (Arc::new(sources), names)
        }
        _ => {
            let help = group_help(value);
            document.wrong_type(value, "an array of sources or a table with `file` or `dns`", help);
            return None;
        }
    };
    (document.errors.len() == before).then_some(content)
}

/// How to write the value as a group.
fn group_help(value: &Value) -> String {
    if let Some(path) = value.get_ref().as_str().filter(|text| source::is_path(text)) {
        return format!("write {}", Quoted(&format!("{{ file = \"{path}\" }}")));
    }
    let sources = value.get_ref().as_str().and_then(source::values).filter(|it| it.len() < 4);
    match sources {
        Some(sources) => format!("write `[\"{}\"]`", sources.join("\", \"")),
        None => "write `[\"192.0.2.0/24\"]` or `{ file = \"sources.txt\" }`".to_owned(),
    }
}
