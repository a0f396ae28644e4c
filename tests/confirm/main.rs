//! `apply --confirm`: however a trial ends, the kernel holds the old ruleset or the new one, and the old
//! one unless the policy was confirmed. Each test runs in a network namespace of its own. The tests
//! need root, and `scripts/setup` to have run.

#![allow(clippy::panic, clippy::unwrap_used)]

mod endings;
mod flows;
mod killed;
mod others;
mod rollback;
#[path = "../kernel/flows/site.rs"]
#[allow(dead_code)]
mod site;
#[path = "../support/mod.rs"]
mod support;
mod trial;

use support::{Namespace, apply};

/// A few rules.
const OLD: &str = r#"
    [[allow]]
    name = "web"
    ports = ["8080/tcp", "53/udp"]
    from = ["192.0.2.2", "2001:db8::2", "10.0.0.1-10.0.0.9"]
"#;

/// Other rules, and a group that is large enough for a set.
fn new() -> String {
    let many: Vec<String> = (0..100).map(|n| format!("10.0.0.{}", 2 * n + 1)).collect();
    format!(
        "[sources]\nmany = {many:?}\n[[allow]]\nname = \"web\"\nports = [\"8081/tcp\"]\nfrom = [\"many\"]\n"
    )
}

/// A host with the old policy.
fn host() -> Namespace {
    let host = Namespace::new();
    apply(&host, OLD);
    host
}

/// All tables as nft prints them, sorted, because nft lists tables, chains and sets in the order of their
/// creation.
fn ruleset(host: &Namespace) -> Vec<String> {
    let ruleset = host.run(&["nft", "-s", "list", "ruleset"]);
    let mut objects = Vec::new();
    let mut table = "";
    for object in ruleset.split("\n\n").flat_map(|part| part.split("\n}\n")) {
        let object = match object.split_once("{\n") {
            Some((name, first)) if name.starts_with("table ") => {
                table = name;
                first
            }
            _ => object,
        };
        let object = object.trim_end_matches("\n}").trim_end();
        if !object.is_empty() {
            objects.push(format!("{table}{object}"));
        }
    }
    objects.sort();
    objects
}

/// The ruleset of the new policy.
fn new_ruleset() -> Vec<String> {
    let host = host();
    apply(&host, &new());
    ruleset(&host)
}
