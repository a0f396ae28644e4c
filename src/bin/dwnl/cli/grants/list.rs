//! `dwnl grants`: what is allowed and denied by hand.

use std::process::ExitCode;
use std::time::SystemTime;

use super::super::Console;
use super::super::commands::state_options;
use super::super::grant_args::GrantsArgs;
use super::change::{open, store};
use crate::report::Grants;

/// Prints the grants and bans. Changes nothing.
pub fn grants(args: &GrantsArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let store = store(state_options(&args.state, &args.namespace));
    let mut table = open(&args.namespace)?;
    let report = table.read()?;
    let stored = match store.and_then(|store| store.map(|it| it.grants()).transpose()) {
        Ok(stored) => stored.unwrap_or_default(),
        Err(error) => {
            console.warn(&[format!("cannot read the state: {error}")]);
            Vec::new()
        }
    };
    console.report(&Grants::new(&report, &stored, SystemTime::now()))?;
    Ok(ExitCode::SUCCESS)
}
