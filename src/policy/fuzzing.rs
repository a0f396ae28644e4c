//! Policies and source lists from any bytes, without a file.

#![allow(clippy::expect_used)]

use std::path::Path;
use std::sync::Arc;

use super::errors::Errors;
use super::input::{self, Unreadable};
use super::list;
use super::{Allow, Diagnostics, Group, Policy};
use crate::ruleset::{Ports, Protocol};

/// Reads the bytes as [`Policy::read`] does those of a file.
pub fn policy(bytes: &[u8]) -> Result<Policy, Diagnostics> {
    let name = "policy.toml".into();
    let text = text(bytes, &name, &input::POLICY)?;
    Policy::parse(&text, &name, Path::new(""))
}

/// Reads the bytes as a source list, and allows its sources.
pub fn source_list(bytes: &[u8]) -> Result<Policy, Diagnostics> {
    let name = "list.txt".into();
    let text = text(bytes, &name, &input::SOURCE_LIST)?;
    let mut errors = Errors::default();
    let sources = list::parse(&text, &name, &mut errors);
    if errors.len() > 0 {
        return Err(Diagnostics(errors.into_vec()));
    }
    let group = Group { name: Some("list".into()), sources: Arc::new(sources) };
    let port = Ports::new(Protocol::Tcp, 443, 443).expect("a port");
    let entry = Allow { from: Some(vec![group]), ..Allow::new(vec![port]) };
    Ok(Policy { allow: vec![entry], ..Policy::default() })
}

fn text(bytes: &[u8], name: &Arc<str>, kind: &input::Kind) -> Result<String, Diagnostics> {
    input::read(bytes, name, kind).map_err(|error| match error {
        Unreadable::Byte(diagnostic) => Diagnostics(vec![diagnostic]),
        Unreadable::File(fault) => Diagnostics(vec![fault.of_file(name)]),
    })
}
