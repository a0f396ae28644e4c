//! Zero gap, by load: clients that connect without pause while policies alternate as fast as they
//! can be applied and a real dockerd starts and removes containers. Needs root, and `scripts/setup`
//! run before.
//!
//! The long run, with a table of dwnl's figures beside those of the ways it replaces:
//! `scripts/run --test load -- --ignored --nocapture`

#![allow(clippy::panic, clippy::unwrap_used)]

mod churn;
mod client;
mod kind;
mod ports;
mod run;
mod site;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod tally;
mod way;

use std::time::Duration;

use run::{Goal, run};
use site::Site;
use way::Way;

const SHORT: Goal =
    Goal { reloads: 20, connections: 2_000, commands: 2, limit: Duration::from_secs(60) };
const LONG: Goal =
    Goal { reloads: 1_000, connections: 50_000, commands: 20, limit: Duration::from_secs(600) };
/// What the other ways are given: enough to show what they lose.
const PEERS: Goal = Goal { limit: Duration::from_secs(60), ..LONG };
const CONTROL: Goal = Goal { reloads: 3, connections: 100, commands: 0, ..SHORT };

#[test]
fn a_reload_loses_nobody_and_lets_nobody_in() {
    let site = Site::closed();
    run(&site, &Way::dwnl(), SHORT).assert_reached(SHORT).assert_no_gap();
    // The positive control: where there is a gap it is seen.
    let script = run(&site, &Way::script(), CONTROL);
    assert!(script.lost() > 0, "the shell script has lost nobody");
}

#[test]
fn a_reload_leaves_no_gap_to_docker_proxy() {
    run(&Site::stock(), &Way::guarded(), SHORT).assert_reached(SHORT).assert_no_gap();
}

#[test]
#[ignore = "takes minutes"]
fn long() {
    let closed = Site::closed();
    let dwnl = run(&closed, &Way::dwnl(), LONG);
    let restore = run(&closed, &Way::restore(), PEERS);
    let script = run(&closed, &Way::script(), PEERS);
    drop(closed);
    let guarded = run(&Site::stock(), &Way::guarded(), LONG);
    println!("{}", tally::table(&[&dwnl, &guarded, &restore, &script]));
    for tally in [dwnl, guarded] {
        tally.assert_reached(LONG).assert_no_gap();
    }
}
