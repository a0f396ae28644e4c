//! Tailscale's rules, and an interface of its name.

use super::document::recipe;
use super::site::{PORT, Site};
use super::support::{Answer, Topology, apply, tcp};

/// This host and another one in the tailnet.
const HOST: &str = "100.64.0.1";
const PEER: &str = "100.64.0.2";

#[test]
fn the_tailnet_is_outside_until_the_recipe_allows_it() {
    let site = Site::new();
    let (host, client) = (site.host(), &site.topology.client);
    let peer = ["peer", "name", "ts0", "netns", &client.path()];
    host.run(&[&["ip", "link", "add", "tailscale0", "type", "veth"], &peer[..]].concat());
    host.run(&["ip", "address", "add", &format!("{HOST}/10"), "dev", "tailscale0"]);
    host.run(&["ip", "link", "set", "tailscale0", "up"]);
    client.run(&["ip", "address", "add", &format!("{PEER}/10"), "dev", "ts0"]);
    client.run(&["ip", "link", "set", "ts0", "up"]);
    site.load("tailscale.rules");
    let answer = || tcp(client, PEER, HOST, PORT);
    assert_eq!(answer(), Answer::Answered, "Tailscale lets it in");

    site.protect();
    assert_eq!(answer(), Answer::TimedOut);
    assert_eq!(site.found("tailscale").as_deref(), Some("note"));
    site.is_in_sync();

    apply(host, &recipe("Tailscale", "toml"));
    assert_eq!(answer(), Answer::Answered);
    for source in [Topology::ALLOWED, Topology::REFUSED] {
        assert_eq!(site.answer(source), Answer::TimedOut, "{source} is not of the tailnet");
    }
    // The same source by another interface.
    host.run(&["ip", "address", "delete", &format!("{HOST}/10"), "dev", "tailscale0"]);
    host.run(&["ip", "route", "add", "100.64.0.0/10", "dev", "eth0"]);
    client.run(&["ip", "address", "add", "100.64.0.9/32", "dev", "eth0"]);
    assert_eq!(tcp(client, "100.64.0.9", Topology::HOST, PORT), Answer::TimedOut);
}
