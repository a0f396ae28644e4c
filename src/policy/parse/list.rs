//! A group in a source file: `{ file = "ip-ranges.json", json = "prefixes[].ip_prefix", max-shrink = "50%" }`.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::document::{Document, Strings, Value};
use super::json::JsonPath;
use super::source_file::{Format, SourceFiles, Sources};
use crate::model::Name;
use crate::policy::PolicyError;
use crate::policy::diag::{Issue, Quoted};
use crate::policy::shrink::{MaxShrink, ShrinkLimit};

const KEYS: [&str; 4] = ["file", "json", "allow-empty", "max-shrink"];

/// Reads the group `name` from the source file that `table` describes.
pub(super) fn read(
    document: &mut Document,
    name: &str,
    table: &DeTable,
    value: &Value,
    files: &mut SourceFiles,
) -> Sources {
    document.check_keys(table, &format!(" in group {}", Quoted(name)), &KEYS);
    let allow_empty = table.get("allow-empty");
    let allow_empty = allow_empty.and_then(|value| document.boolean("allow-empty", value));
    if let Some(value) = table.get("max-shrink") {
        limit(document, name, value);
    }
    let format = match table.get("json") {
        Some(value) => json_paths(document, value).map(Format::Json),
        None => Some(Format::Lines),
    };
    let Some(file) = table.get("file") else {
        let issue = Issue::new(format!("group {} has no `file` key", Quoted(name)));
        let help = "write `{ file = \"sources.txt\" }`";
        document.missing_error(value.span(), issue.help(help));
        return None;
    };
    let path = document.string(file, "file", "sources.txt")?;
    if path.is_empty() {
        document.error(file.span(), Issue::new("the path of the source file is empty"));
        return None;
    }
    let sources = files.read(Path::new(path), format?).unwrap_or_else(|issue| {
        document.error(file.span(), issue);
        None
    })?;
    if sources.is_empty() && allow_empty == Some(false) {
        document.error(file.span(), PolicyError::EmptyGroup(Some(name.into())));
        return None;
    }
    Some(sources)
}

/// Reads `json`: a path or several.
fn json_paths(document: &mut Document, value: &Value) -> Option<Vec<JsonPath>> {
    const EXAMPLE: &str = "prefixes[].ip_prefix";
    let texts = match value.get_ref() {
        DeValue::String(text) => vec![(text.as_ref(), value.span())],
        DeValue::Array(_) => {
            let expected = Strings { key: "json", example: EXAMPLE, meant: &|_| None };
            document.strings(value, &expected)?
        }
        _ => {
            let help = format!("write `json = \"{EXAMPLE}\"`");
            document.wrong_type(value, "a string or an array of strings", help);
            return None;
        }
    };
    if texts.is_empty() && value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
        document.error(value.span(), Issue::new("`json` is empty"));
    }
    let before = document.errors.len();
    let paths: Vec<JsonPath> =
        texts.into_iter().filter_map(|(text, span)| document.check(text.parse(), span)).collect();
    (document.errors.len() == before && !paths.is_empty()).then_some(paths)
}

/// Reads `max-shrink`.
fn limit(document: &mut Document, name: &str, value: &Value) {
    let Some(text) = document.string(value, "max-shrink", "50%") else { return };
    if let Some(max) = document.check(text.parse::<MaxShrink>(), value.span()) {
        let place = document.text.diagnostic(value.span(), Issue::new(""));
        document.limits.push(ShrinkLimit { group: Name::from(name), max, place });
    }
}
