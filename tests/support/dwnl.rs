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

/// The rules and set elements that a report counts under `added`, `removed` or `unchanged`.
pub fn count(report: &Value, what: &str) -> u64 {
    let number = |noun| report[format!("{noun}_{what}")].as_u64().expect("a number");
    number("rules") + number("elements")
}

/// The published ports that no entry covers: `8080/tcp`, `80/tcp on 198.51.100.2`.
pub fn uncovered_ports(report: &Value) -> Vec<String> {
    let ports = report["uncovered_ports"].as_array().expect("a list of ports").iter();
    let text = |port: &Value| {
        let ports = port["ports"].as_str().expect("ports");
        port["address"].as_str().map_or(ports.to_owned(), |address| format!("{ports} on {address}"))
    };
    ports.map(text).collect()
}

#[track_caller]
fn json(output: Output) -> Value {
    let text = output.succeeded();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in the output:\n{text}"))
}
