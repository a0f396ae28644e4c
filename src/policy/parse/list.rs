//! A group in a source file: `{ file = "cdn.txt", allow-empty = false, max-shrink = "50%" }`.

use toml::de::DeTable;

use super::document::{Document, Value};
use super::source_file::{SourceFiles, Sources};
use crate::model::Name;
use crate::policy::PolicyError;
use crate::policy::diag::{Issue, Quoted};
use crate::policy::shrink::{MaxShrink, ShrinkLimit};

const KEYS: [&str; 3] = ["file", "allow-empty", "max-shrink"];

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
    let sources = files.read(path).unwrap_or_else(|issue| {
        document.error(file.span(), issue);
        None
    })?;
    if sources.is_empty() && allow_empty == Some(false) {
        document.error(file.span(), PolicyError::EmptyGroup(Some(name.into())));
        return None;
    }
    Some(sources)
}

/// Reads `max-shrink`.
fn limit(document: &mut Document, name: &str, value: &Value) {
    let Some(text) = document.string(value, "max-shrink", "50%") else { return };
    let max = text.parse::<MaxShrink>().map_err(|()| {
        Issue::new(format!("{} is not a percentage from 0% to 100%", Quoted(text)))
            .help("write a whole number with a percent sign, such as \"50%\"")
    });
    if let Some(max) = document.check(max, value.span()) {
        let place = document.text.diagnostic(value.span(), Issue::new(""));
        document.limits.push(ShrinkLimit { group: Name::from(name), max, place });
    }
}
