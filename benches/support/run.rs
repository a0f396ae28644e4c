//! The extent of a benchmark run, and the path of its document.

use std::env;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Whether everything is measured. With `--quick`, or when run as a test, only a small part is.
pub fn is_full() -> Result<bool> {
    // Cargo passes `--bench` unless it runs this as a test.
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some(other) = arguments.iter().find(|it| !["--bench", "--quick"].contains(&it.as_str()))
    {
        bail!("unknown argument {other}: --quick is the only one");
    }
    Ok(arguments == ["--bench"])
}

/// The directory of the documents: `docs/benchmarks`, or the target directory for a short run.
pub fn documents(is_full: bool) -> PathBuf {
    if is_full {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks")
    } else {
        PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
    }
}

/// Writes a document to this directory.
pub fn write(name: &str, document: &impl Display, is_full: bool) -> Result<()> {
    let path = documents(is_full).join(name);
    fs::write(&path, document.to_string())?;
    println!("{document}\nwritten to {}", path.display());
    Ok(())
}
