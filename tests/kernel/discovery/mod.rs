//! Discovery from Docker's rules: those of real versions, and foreign rules in its chains.

mod captured;
mod forged;
mod native;

use std::path::Path;

use dwnl::Engine;
use dwnl::model::{Docker, PublishedPort};

use super::support::Namespace;

/// What dwnl discovers about Docker on a host.
#[track_caller]
fn docker(host: &Namespace) -> Docker {
    let mut engine = Engine::open_in(Path::new(&host.path())).expect("an engine");
    engine.snapshot().expect("a snapshot").docker
}

fn texts<'a>(published: impl IntoIterator<Item = &'a PublishedPort>) -> Vec<String> {
    published.into_iter().map(ToString::to_string).collect()
}

/// Adds a bridge with these ports.
fn bridge(host: &Namespace, name: &str, ports: &[&str]) {
    host.run(&["ip", "link", "add", name, "type", "bridge"]);
    for port in ports {
        host.run(&["ip", "link", "add", port, "type", "veth"]);
        host.run(&["ip", "link", "set", port, "master", name]);
    }
}
