//! `dwnl grants`: what is allowed and denied by hand.

use std::process::ExitCode;
use std::time::SystemTime;

use super::super::Console;
use super::super::commands::state_options;
use super::super::grant_args::GrantsArgs;
use super::change::open;
use crate::report::Grants;
use crate::state::Store;

/// Prints the grants and bans. Changes nothing.
pub fn grants(args: &GrantsArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let store = Store::open(state_options(&args.state, &args.namespace));
    let mut book = open(&args.namespace, store)?;
    let report = book.read()?;
    let (stored, warning) = book.stored();
    console.warn(warning.as_slice());
    console.report(&Grants::new(&report, &stored, SystemTime::now()))?;
    Ok(ExitCode::SUCCESS)
}
