//! A container's own address, called by a neighbour that has a route to it.

use super::situation::{ECHO, Site, Situation};
use super::support::{Answer, Topology, UNGUARDED};

const NETWORK: &str = "10.77.0.0/24";

#[test]
fn a_containers_own_address_is_guarded() {
    let site = Site::new(&[]);
    // Docker 28 and later block such packets unless the network has this gateway mode, which an older
    // one does not know.
    let mode = "com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected";
    site.docker.client(&["network", "create", "--subnet", NETWORK, "-o", mode, "direct"]);
    site.docker.run("direct", &["--network", "direct", "-p", "8089:80"], ECHO);
    site.topology.client.run(&["ip", "route", "add", NETWORK, "via", Topology::HOST]);
    let row = |name, settings: &str, answer, why| Situation {
        name,
        policy: format!(
            "[[allow]]\nports = [\"80\", \"8089\"]\nfrom = [\"192.0.2.2\"]\n{settings}"
        ),
        commands: &[],
        packet: format!("192.0.2.2 {} 80/tcp", site.address("direct")),
        answer,
        why,
    };
    site.check(&[
        row("guarded", "", Answer::TimedOut, "dropped: inet dwnl bridged (direct_routing)"),
        row("not guarded", UNGUARDED, Answer::Answered, "forwarded"),
    ]);
}
