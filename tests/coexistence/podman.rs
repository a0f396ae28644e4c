//! A real podman. `tests/watch/podman.rs` has the order of starts, and the watch.

use super::document::recipe;
use super::site::{ECHO, Site};
use super::support::{Answer, Podman, Topology, tcp, wait_for};

const PODMANS: u16 = 8095;

#[test]
fn the_recipe_filters_podmans_port() {
    let site = Site::new();
    let podman = Podman::new(site.host());
    podman.run("pod", &["-p", "8095:80"], ECHO);
    site.protect();
    assert_eq!(site.found("podman").as_deref(), Some("note"));
    let answer = |source| tcp(&site.topology.client, source, Topology::HOST, PODMANS);
    for source in [Topology::ALLOWED, Topology::REFUSED] {
        // Positive control: dwnl does not judge it.
        wait_for("podman's answer", || (answer(source) == Answer::Answered).then_some(()));
    }
    site.shell(&recipe("podman", "sh"));
    assert_eq!(answer(Topology::ALLOWED), Answer::Answered);
    assert_eq!(answer(Topology::REFUSED), Answer::TimedOut);
    site.decides();
    site.is_in_sync();
}
