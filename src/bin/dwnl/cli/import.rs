//! `dwnl import`: rules of iptables as a policy.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use dwnl::import::{Imported, Input, import as import_texts, import_ruleset};
use dwnl::model::IpVersion;

use super::Console;
use super::args::ImportArgs;
use super::commands::open;
use crate::report::Import;

/// The exit status if lines were not translated.
const INCOMPLETE: u8 = 3;
/// Maximum size of an input in bytes.
const SIZE_MAX: u64 = 64 << 20;

/// Prints the policy. Changes nothing.
pub fn import(args: &ImportArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let imported = match args.files.as_slice() {
        [] => from_kernel(args, console)?,
        files => {
            let version = args.version();
            let inputs: anyhow::Result<Vec<Input>> =
                files.iter().map(|path| read(path, version)).collect();
            import_texts(&inputs?)?
        }
    };
    let warnings: Vec<String> = imported
        .untranslated
        .iter()
        .map(|it| format!("{}:{}: not translated: {}", it.file, it.line, it.reason))
        .chain(imported.remarks.iter().map(|it| it.trim_end_matches('.').to_owned()))
        .collect();
    console.warn_each(&warnings);
    console.report(&Import::new(&imported))?;
    Ok(match imported.untranslated.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(INCOMPLETE),
    })
}

fn from_kernel(args: &ImportArgs, console: &Console) -> anyhow::Result<Imported> {
    let mut engine = open(args.namespace.path())?;
    let progress = console.progress("reading the kernel's rules");
    let ruleset = engine.read_ruleset()?;
    drop(progress);
    Ok(import_ruleset(&ruleset)?)
}

fn read(path: &Path, version: Option<IpVersion>) -> anyhow::Result<Input> {
    let (name, bytes) = if path == Path::new("-") {
        ("<stdin>".to_owned(), read_all(io::stdin()))
    } else {
        (path.display().to_string(), File::open(path).and_then(read_all))
    };
    let bytes = bytes.with_context(|| format!("cannot read {name}"))?;
    if bytes.len() as u64 > SIZE_MAX {
        bail!("{name} is larger than 64 MiB");
    }
    // What is not UTF-8 is in comments.
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Input { name, text, version })
}

fn read_all(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(SIZE_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
