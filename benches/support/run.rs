//! How a benchmark is run, and where its document goes.

use std::env;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Whether the whole is to be measured: with `--quick`, or run as one of the tests, it is a small part.
pub fn is_full() -> Result<bool> {
    // Cargo says `--bench` unless this is run as one of the tests.
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some(other) = arguments.iter().find(|it| !["--bench", "--quick"].contains(&it.as_str()))
    {
        bail!("unknown argument {other}: --quick is the only one");
    }
    Ok(arguments == ["--bench"])
}

/// Where documents go: into `docs/benchmarks`, or after a short run into the target directory.
pub fn documents(is_full: bool) -> PathBuf {
    if is_full {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks")
    } else {
        PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
    }
}

/// Writes a document there.
pub fn write(name: &str, document: &impl Display, is_full: bool) -> Result<()> {
    let path = documents(is_full).join(name);
    fs::write(&path, document.to_string())?;
    println!("{document}\nwritten to {}", path.display());
    Ok(())
}
