//! What the commands print on a terminal of 80 columns, with and without colour: the real program on a
//! pseudoterminal. Needs root, and `scripts/setup` run before. `scripts/screenshots` writes the expected
//! output and the pictures of the documentation.

#![allow(clippy::panic, clippy::unwrap_used)]

mod golden;
mod pty;
mod stage;
#[path = "../support/mod.rs"]
mod support;

use golden::Picture;
use stage::{POLICY, Stage};
use support::Topology;

#[test]
fn errors_of_a_policy() {
    let stage = Stage::new();
    stage.write_policy(
        "[sources]\noffice = [\"198.51.100.7\", \"10.0.0.1/8\"]\n\n[[allow]]\nname = \"web\"\n\
         ports = [\"443\", \"80/tpc\"]\nfrom = [\"ofice\"]\n",
    );
    stage.expect("check-errors", "check", Picture::Yes);
}

#[test]
fn a_valid_policy() {
    let stage = Stage::new();
    stage.expect("check", "check", Picture::No);
}

#[test]
fn a_first_plan_and_apply() {
    let stage = Stage::new();
    stage.publish();
    stage.expect("plan-first", "plan", Picture::No);
    stage.expect("apply-first", "apply", Picture::No);
}

#[test]
fn a_changed_policy() {
    let stage = Stage::new();
    stage.publish();
    stage.dwnl("apply");
    let changed =
        POLICY.replace("\"203.0.113.10-203.0.113.20\"", "\"203.0.113.10\", \"192.0.2.9\"");
    stage.write_policy(
        &changed.replace("name = \"api\"\n", "name = \"api\"\nfrom = [\"office\"]\n"),
    );
    stage.expect("plan", "plan", Picture::Yes);
    stage.expect("plan-verbose", "plan -v", Picture::No);
    stage.expect("apply", "apply", Picture::Yes);
    stage.expect("remove", "remove", Picture::No);
}

#[test]
fn the_status_of_a_host() {
    let stage = Stage::new();
    stage.publish();
    stage.dwnl("apply");
    let _watch = stage.watch();
    stage.send(Topology::ALLOWED, 443, 12);
    stage.send(Topology::REFUSED, 443, 3);
    stage.send(Topology::ALLOWED, 5432, 1);
    stage.disturb();
    stage.expect("status", "status", Picture::Yes);
    stage.expect("refused", "refused", Picture::Yes);
}

#[test]
fn why_a_source_gets_in() {
    let stage = Stage::new();
    stage.publish();
    stage.dwnl("apply");
    stage.expect("explain-allowed", &format!("explain {} 443", Topology::ALLOWED), Picture::No);
    stage.expect("explain", &format!("explain {} 443", Topology::REFUSED), Picture::Yes);
}

#[test]
fn what_becomes_of_a_packet() {
    let stage = Stage::new();
    stage.publish();
    stage.dwnl("apply");
    let words = format!("trace {} 443/udp --count 1", Topology::REFUSED);
    stage.while_sending(Topology::REFUSED, 443, || stage.expect("trace", &words, Picture::Yes));
}

#[test]
fn the_status_without_a_policy() {
    let stage = Stage::new();
    stage.remove_policy();
    stage.expect("status-none", "status", Picture::No);
}

#[test]
fn the_status_of_rules_that_differ() {
    let stage = Stage::new();
    stage.publish();
    stage.dwnl("apply");
    stage.write_policy("[[allow]]\nports = [\"0\"]\n");
    stage.run(&["nft", "delete table inet dwnl"]);
    stage.expect("status-differs", "status", Picture::No);
}

#[test]
fn the_installed_rules() {
    let stage = Stage::new();
    stage.publish();
    stage.dwnl("apply");
    stage.send(Topology::ALLOWED, 443, 12);
    stage.expect("show", "show", Picture::No);
    stage.expect("show-entry", "show web", Picture::Yes);
}
