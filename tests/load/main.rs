//! Zero gap under load: clients connect continuously while policies alternate as fast as they can
//! be applied, and a real dockerd starts and removes containers. The tests need root, and
//! `scripts/setup` to have run.
//!
//! The long run, with a table that compares dwnl with the methods that it replaces:
//! `scripts/run --test load -- --ignored --nocapture`

#![allow(clippy::panic, clippy::unwrap_used)]

mod churn;
mod client;
mod kind;
mod method;
mod ports;
mod run;
mod site;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod tally;

use std::time::Duration;

use method::Method;
use run::{Goal, run};
use site::Site;

const SHORT: Goal =
    Goal { reloads: 20, connections: 2_000, commands: 2, limit: Duration::from_secs(60) };
const LONG: Goal =
    Goal { reloads: 1_000, connections: 50_000, commands: 20, limit: Duration::from_secs(600) };
/// The goal of the other methods: enough to show their losses.
const PEERS: Goal = Goal { limit: Duration::from_secs(60), ..LONG };
const CONTROL: Goal = Goal { reloads: 3, connections: 100, commands: 0, ..SHORT };

#[test]
fn a_reload_loses_no_allowed_and_admits_no_refused_connection() {
    let site = Site::closed();
    run(&site, &Method::dwnl(), SHORT).assert_reached(SHORT).assert_no_gap();
    // Positive control: a gap is detected where there is one.
    let script = run(&site, &Method::script(), CONTROL);
    assert!(script.lost() > 0, "the shell script has lost no connection");
}

#[test]
fn a_reload_leaves_no_gap_to_docker_proxy() {
    run(&Site::stock(), &Method::guarded(), SHORT).assert_reached(SHORT).assert_no_gap();
}

#[test]
#[ignore = "takes minutes"]
fn long() {
    let closed = Site::closed();
    let dwnl = run(&closed, &Method::dwnl(), LONG);
    let restore = run(&closed, &Method::restore(), PEERS);
    let script = run(&closed, &Method::script(), PEERS);
    drop(closed);
    let guarded = run(&Site::stock(), &Method::guarded(), LONG);
    println!("{}", tally::table(&[&dwnl, &guarded, &restore, &script]));
    for tally in [dwnl, guarded] {
        tally.assert_reached(LONG).assert_no_gap();
    }
}
