//! Policies and source lists from any bytes, without a file.

#![allow(clippy::expect_used)]

use std::path::Path;
use std::sync::Arc;

use super::issue_list::IssueList;
use super::read_text::{self, ReadError};
use super::source_file;
use super::{Allow, Diagnostics, Group, Policy};
use crate::model::{Ports, Protocol};

/// Reads the bytes as [`Policy::read`] does those of a file.
pub fn policy(bytes: &[u8]) -> Result<Policy, Diagnostics> {
    let name = "policy.toml".into();
    let text = text(bytes, &name, &read_text::POLICY)?;
    Policy::parse(&text, &name, Path::new(""))
}

/// Reads the bytes as a source list, and allows its sources.
pub fn source_list(bytes: &[u8]) -> Result<Policy, Diagnostics> {
    let name = "list.txt".into();
    let text = text(bytes, &name, &read_text::SOURCE_LIST)?;
    let mut errors = IssueList::default();
    let sources = source_file::parse(&text, &name, &mut errors);
    if errors.len() > 0 {
        return Err(Diagnostics(errors.into_vec()));
    }
    let group = Group { name: Some("list".into()), sources: Arc::new(sources) };
    let port = Ports::new(Protocol::Tcp, 443, 443).expect("a port");
    let entry = Allow { from: Some(vec![group]), ..Allow::new(vec![port]) };
    Ok(Policy { allow: vec![entry], ..Policy::default() })
}

fn text(bytes: &[u8], name: &Arc<str>, kind: &read_text::Kind) -> Result<String, Diagnostics> {
    read_text::read(bytes, name, kind).map_err(|error| match error {
        ReadError::Byte(diagnostic) => Diagnostics(vec![diagnostic]),
        ReadError::File(fault) => Diagnostics(vec![fault.of_file(name)]),
    })
}
