//! What the fuzz targets call: the readers of everything that others wrote, with what has to hold
//! of their results. Only there with `--cfg fuzzing`, and no part of the library's interface.

#![allow(clippy::missing_panics_doc, clippy::expect_used)]

pub use crate::engine::fuzzing::{answer, notice, snapshot};
use crate::model::Snapshot;
pub use crate::netlink::fuzzing::{link, listener, object, rule};
use crate::policy::fuzzing;
use crate::policy::{Diagnostics, Policy};
use crate::state;
pub use crate::trace::fuzzing::trace;
use crate::{Plan, compile, resolve};

/// The data are a policy.
pub fn policy(data: &[u8]) {
    check(fuzzing::policy(data));
}

/// The data are a source list.
pub fn source_list(data: &[u8]) {
    check(fuzzing::source_list(data));
}

/// The data are a stored policy, or one without its first line.
pub fn stored(data: &[u8]) {
    for read in state::fuzzing::read(data) {
        match read.map(|stored| state::fuzzing::policy(&stored)) {
            Ok(Ok(_)) => {}
            Ok(Err(errors)) => check_text(&errors.to_string()),
            Err(error) => check_text(&error.to_string()),
        }
    }
}

/// A policy that was accepted compiles, and can be printed and planned. Errors can be printed.
fn check(read: Result<Policy, Diagnostics>) {
    match read {
        Ok(policy) => {
            let desired = compile(&policy);
            for desired in desired.chains.iter().flat_map(|chain| chain.rules.iter()) {
                check_text(&desired.rule.to_string());
            }
            let snapshot = Snapshot::default();
            let resolved = resolve(&desired, &snapshot).expect("a ruleset");
            let plan = Plan::diff(&resolved, &snapshot).expect("a plan");
            assert!(!plan.is_empty());
        }
        Err(errors) => check_text(&errors.to_string()),
    }
}

/// There is something to read, and it does nothing to a terminal.
pub(crate) fn check_text(text: &str) {
    let is_harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    assert!(!text.is_empty() && text.chars().all(is_harmless), "{text:?}");
}
