//! The program under test.

use serde_json::Value;

use super::{Namespace, Output};

/// The part of a policy that turns the guard off, so that only the rules of `DOCKER-BLOCK` decide.
pub const UNGUARDED: &str = "[guard]\nenabled = false\n";

/// Runs dwnl in the namespace with the policy as its standard input.
pub fn dwnl(namespace: &Namespace, args: &[&str], policy: &str) -> Output {
    namespace.try_run(&[&[env!("CARGO_BIN_EXE_dwnl")], args].concat(), policy)
}

/// `dwnl apply`; panics if it fails.
#[track_caller]
pub fn apply(namespace: &Namespace, policy: &str) -> Value {
    json(dwnl(namespace, &["apply", "--json", "-f", "-"], policy))
}

/// `dwnl plan`; panics if it fails.
#[track_caller]
pub fn plan(namespace: &Namespace, policy: &str) -> Value {
    json(dwnl(namespace, &["plan", "--json", "-f", "-"], policy))
}

/// `dwnl show`; panics if it fails.
#[track_caller]
pub fn show(namespace: &Namespace) -> Value {
    json(dwnl(namespace, &["show", "--json"], ""))
}

/// `dwnl remove`; panics if it fails.
#[track_caller]
pub fn remove(namespace: &Namespace) -> Value {
    json(dwnl(namespace, &["remove", "--json"], ""))
}

#[track_caller]
fn json(output: Output) -> Value {
    let text = output.succeeded();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in the output:\n{text}"))
}
