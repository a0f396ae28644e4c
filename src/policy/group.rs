//! The `[sources]` table: groups of sources by name.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::document::{Document, Strings, Value};
use super::issue::{Issue, Quoted};
use super::source_file::{Lists, Sources};
use super::suggest::{list, suggest};
use super::{Group, Source, source};

/// The groups of a policy.
#[derive(Default)]
pub(super) struct Groups(BTreeMap<Arc<str>, Group>);

impl Groups {
    /// An unknown word is compared with so many names: each comparison takes its time.
    const COMPARED_MAX: usize = 1000;

    /// Reads the table, with the source lists that it names.
    pub fn read(document: &mut Document, table: &DeTable, lists: &mut Lists) -> Groups {
        let mut groups = BTreeMap::new();
        for (key, value) in table.iter() {
            let name = key.get_ref().as_ref();
            if source::looks_like_address(name) {
                let fault = Issue::new(format!("{} is not a name for a group", Quoted(name)));
                let help = "choose a word that cannot be taken for an address";
                document.error(key.span(), fault.help(help));
            }
            let sources = group(document, name, table, value, lists);
            if sources.as_ref().is_some_and(|sources| sources.is_empty()) {
                let fault = Issue::new(format!("the group {} has no sources", Quoted(name)));
                let help = "an entry that names it would allow nobody: add a source, or remove it";
                document.error(key.span(), fault.help(help));
            }
            let name: Arc<str> = name.into();
            let group = Group { name: Some(name.clone()), sources: sources.unwrap_or_default() };
            groups.insert(name, group);
        }
        Groups(groups)
    }

    /// The group of this name. It has no sources if there is an error in it.
    pub fn get(&self, name: &str) -> Option<&Group> {
        self.0.get(name)
    }

    /// Reads the value of `key`: an array of groups' names and of sources.
    pub fn named_by(&self, document: &mut Document, key: &str, value: &Value) -> Vec<Group> {
        let expected = Strings { key, example: "192.0.2.0/24", suffix: "" };
        let Some(strings) = document.strings(value, &expected) else { return Vec::new() };
        if value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
            document.error(value.span(), names_nobody(key));
        }
        let (literals, words): (Vec<_>, Vec<_>) = strings.into_iter().partition(|(text, _)| {
            self.get(text).is_none() && (text.is_empty() || source::looks_like_address(text))
        });
        let mut groups = self.of_names(document, words);
        let sources = inline_sources(document, literals, |_, fault| fault);
        if !sources.is_empty() {
            groups.push(Group { name: None, sources: Arc::new(sources) });
        }
        groups
    }

    fn of_names(&self, document: &mut Document, words: Vec<(&str, Range<usize>)>) -> Vec<Group> {
        let mut seen = HashSet::new();
        let mut groups = Vec::new();
        for (word, span) in words {
            if document.errors.is_full() {
                break;
            }
            match self.get(word) {
                None => document.missing_error(span, self.unknown(word)),
                Some(group) if seen.insert(word) => groups.push(group.clone()),
                Some(_) => {}
            }
        }
        groups
    }

    /// Why a word in `from` that is no source is not a group either.
    pub fn unknown(&self, word: &str) -> Issue {
        let names = || self.0.keys().map(AsRef::as_ref);
        let fault = Issue::new(format!("unknown group {}", Quoted(word)));
        match suggest(word, names().take(Self::COMPARED_MAX)) {
            Some(near) => fault.help(format!("did you mean {}?", Quoted(near))),
            None if word.contains('.') => source::parse(word).err().unwrap_or(fault),
            None if self.0.is_empty() => fault.help("define it under `[sources]`"),
            None if self.0.len() > 10 => fault.help("it is not among those under `[sources]`"),
            None => fault.help(format!("the groups are {}", list(names()))),
        }
    }
}

fn names_nobody(key: &str) -> Issue {
    if key == "from" {
        return Issue::new("`from` is empty, so the entry would allow nobody")
            .help("name a group or a source, or leave `from` out to allow anyone");
    }
    Issue::new(format!("{} is empty", Quoted(key)))
        .help(format!("name a group or a source, or leave {} out", Quoted(key)))
}

/// Reads sources that are written in the policy itself; `explain` may improve on a fault.
pub(super) fn inline_sources<'v>(
    document: &mut Document,
    strings: impl IntoIterator<Item = (&'v str, Range<usize>)>,
    explain: impl Fn(&str, Issue) -> Issue,
) -> Vec<Source> {
    let mut sources = Vec::new();
    for (text, span) in strings {
        match source::parse(text) {
            Ok(addresses) => sources.push(Source { addresses, at: Some(document.at(&span)) }),
            Err(fault) => document.error(span, explain(text, fault)),
        }
    }
    sources
}

fn group(
    document: &mut Document,
    name: &str,
    groups: &DeTable,
    value: &Value,
    lists: &mut Lists,
) -> Sources {
    let before = document.errors.len();
    let sources = match value.get_ref() {
        DeValue::Table(table) => return file(document, name, table, value, lists),
        DeValue::Array(_) => {
            let expected = Strings { key: name, example: "192.0.2.0/24", suffix: "" };
            let strings = document.strings(value, &expected)?;
            inline_sources(document, strings, |text, fault| match groups.contains_key(text) {
                true => Issue::new(format!("{} is a group", Quoted(text)))
                    .help("a group cannot contain another: name both in `from`"),
                false => fault,
            })
        }
        _ => {
            let help = "write `[\"192.0.2.0/24\"]` or `{ file = \"sources.txt\" }`".to_owned();
            document.wrong_type(value, "an array of sources or a table with `file`", help);
            return None;
        }
    };
    (document.errors.len() == before).then(|| Arc::new(sources))
}

fn file(
    document: &mut Document,
    name: &str,
    table: &DeTable,
    value: &Value,
    lists: &mut Lists,
) -> Sources {
    document.check_keys(table, &format!(" in the group {}", Quoted(name)), &["file"]);
    let Some(file) = table.get("file") else {
        let fault = Issue::new(format!("the group {} has no `file`", Quoted(name)));
        let help = "write `{ file = \"sources.txt\" }`";
        document.missing_error(value.span(), fault.help(help));
        return None;
    };
    let path = document.string(file, "file", "sources.txt")?;
    if path.is_empty() {
        document.error(file.span(), Issue::new("the path of the source list is empty"));
        return None;
    }
    lists.read(path).unwrap_or_else(|fault| {
        document.error(file.span(), fault);
        None
    })
}
