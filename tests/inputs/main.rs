//! What the program reads from files and writes to them, with the real binary: limits on memory, files
//! that are not regular or that others can change, and the directory and the user that it reads as. The
//! tests need root, because they create network and mount namespaces.

#![allow(clippy::panic, clippy::unwrap_used)]

mod fetch;
mod files;
mod limits;
mod services;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use support::{Output, output};

/// A policy that names a list.
const LISTED: &str = "[sources]\nlist = { file = \"list.txt\" }\n\n\
                      [[allow]]\nports = [\"443\"]\nfrom = [\"list\"]\n";

/// Runs dwnl with these arguments.
fn dwnl(args: &[&str]) -> Output {
    let mut command = vec![env!("CARGO_BIN_EXE_dwnl")];
    command.extend(args);
    output(&command, "")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
