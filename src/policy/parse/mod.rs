//! Text to policy: the TOML document, the grammar of its values, and the source files that it names.

mod dns;
pub(super) mod docker;
pub(super) mod document;
pub(super) mod duration;
pub(super) mod entry;
pub(super) mod group;
#[cfg(feature = "lists")]
mod gzip;
mod help;
mod interface;
pub(super) mod json;
mod keys;
mod limit;
pub(super) mod lines;
mod list;
mod meant;
mod open;
mod plain;
mod port;
pub(super) mod read_text;
pub(super) mod schedule;
pub(super) mod settings;
mod source;
pub(super) mod source_file;
pub(super) mod syntax;
