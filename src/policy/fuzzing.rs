//! Policies and source lists from any bytes, without a file.

#![allow(clippy::expect_used)]

use std::path::Path;
use std::sync::Arc;

use super::diag::{Diagnostics, IssueList};
use super::parse::read_text::{self, ReadError};
use super::parse::{json, lines};
use super::{Allow, Group, Policy, Source};
use crate::model::{Ports, Protocol};

/// Reads the bytes as [`Policy::read`] does those of a file.
pub fn policy(bytes: &[u8]) -> Result<Policy, Diagnostics> {
    let name = "policy.toml".into();
    let text = text(bytes, &name, &read_text::POLICY)?;
    Policy::parse(&text, &name, Path::new(""))
}

/// Reads the bytes as a source file, and allows its sources.
pub fn source_list(bytes: &[u8]) -> Result<Policy, Diagnostics> {
    let name = "list.txt".into();
    let text = text(bytes, &name, &read_text::SOURCE_FILE)?;
    let mut errors = IssueList::default();
    let sources = lines::parse(&text, &name, usize::MAX, &mut errors);
    allowing(sources, errors)
}

/// Reads the first line as a path, and the others as a source file in JSON; allows its sources.
pub fn json_list(bytes: &[u8]) -> Result<Policy, Diagnostics> {
    let name = "list.json".into();
    let text = text(bytes, &name, &read_text::SOURCE_FILE)?;
    let (path, document) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(path) = path.parse() else { return Ok(Policy::default()) };
    let mut errors = IssueList::default();
    let read = json::parse(document, &[path], &name, usize::MAX, &mut errors);
    allowing(read.sources, errors)
}

fn allowing(sources: Vec<Source>, errors: IssueList) -> Result<Policy, Diagnostics> {
    if errors.len() > 0 {
        return Err(Diagnostics(errors.into_vec()));
    }
    let Ok(group) = Group::named("list", sources) else { return Ok(Policy::default()) };
    let port = Ports::single(Protocol::Tcp, 443).expect("a port");
    let entry = Allow::builder([port]).from([group]).build().expect("an entry");
    Ok(Policy::builder().allow(entry).build().expect("a policy"))
}

fn text(bytes: &[u8], name: &Arc<str>, kind: &read_text::Kind) -> Result<String, Diagnostics> {
    read_text::read(bytes, name, kind).map_err(|error| match error {
        ReadError::Byte(diagnostic) => Diagnostics(vec![diagnostic]),
        ReadError::File { issue, .. } => Diagnostics(vec![issue.of_file(name)]),
    })
}
