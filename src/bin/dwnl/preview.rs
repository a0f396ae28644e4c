//! The report of what applying a policy would change.

use std::time::SystemTime;

use dwnl::engine::Preview;
use dwnl::{Engine, Policy};

use crate::report::{Difference, GrantCounts};
use crate::warnings::{host_warnings, plan_warnings};

/// The report; with `verbose`, the changes have details. Its warnings are those about the host.
///
/// # Errors
/// If the kernel cannot be read.
pub fn report<'a>(
    engine: &mut Engine,
    policy: &Policy,
    preview: &'a Preview,
    verbose: bool,
) -> Result<Difference<'a>, dwnl::Error> {
    let mut difference = Difference::preview(preview, verbose);
    difference.warnings = plan_warnings(policy, preview);
    difference.warnings.extend(host_warnings(engine, policy, &preview.outcome.docker));
    difference.by_hand = GrantCounts::new(&engine.grant_summary()?, SystemTime::now());
    Ok(difference)
}
