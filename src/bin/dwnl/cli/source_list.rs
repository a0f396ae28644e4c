//! `check --source-file`: a source file by itself, before it replaces another one.

use std::path::Path;
use std::process::ExitCode;

use dwnl::policy::SourceList;

use super::Console;
use super::args::ListArgs;
use crate::report::Check;

/// Checks the source file at `path`.
///
/// # Errors
/// [`dwnl::policy::Diagnostics`] if there are errors in it.
pub(super) fn check(path: &Path, args: &ListArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let mut list = SourceList::load(path, &args.json_path);
    if !args.allow_empty {
        list.check_not_empty();
    }
    if let (Some(previous), Some(max)) = (&args.previous, args.max_shrink) {
        // With a missing or damaged file there is nothing to compare.
        let previous = SourceList::load(previous, &args.json_path).sources.unwrap_or_default();
        list.check_shrink(&previous, max);
    }
    console.warn_of_policy(&list.warnings);
    let sources = list.sources?;
    console.report(&Check::passed_list(path, &sources, &list.warnings))?;
    Ok(ExitCode::SUCCESS)
}
