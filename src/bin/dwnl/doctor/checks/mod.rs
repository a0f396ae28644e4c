//! The checks: functions from facts to findings.

mod docker;
mod kernel;
mod network;
mod own;
mod programs;
#[cfg(test)]
mod tests;

use super::facts::Facts;
use crate::report::Finding;

/// What all checks find, area by area.
pub fn diagnose(facts: &Facts) -> Vec<Finding> {
    [
        kernel::findings(facts),
        network::findings(facts),
        docker::findings(facts),
        own::findings(facts),
        programs::findings(facts),
    ]
    .concat()
}
