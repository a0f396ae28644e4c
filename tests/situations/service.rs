//! dockerd as a service in a cgroup of its own: the sockets show whose they are.

use super::situation::{Site, Situation};
use super::support::{Answer, tcp_echo};
use Answer::{Answered, TimedOut};

/// Listens on a port of the host.
const OWN: &str = "exec nc -ll -p 8090 -e cat";

#[test]
#[rustfmt::skip]
fn sockets_are_known_by_their_cgroups() {
    let site = Site::service();
    site.docker.run("own", &["--network=host"], OWN);
    let _service = tcp_echo(site.host(), 9000);
    let cgroup = site.docker.cgroup_path();
    let row = |name, keys: &str, packet: &str, answer, why| Situation {
        name,
        policy: format!(
            "[[allow]]\nports = [\"8080\", \"8090\"]\nfrom = [\"192.0.2.2\", \"2001:db8::2\"]\n\
             [guard]\ndocker-cgroup = {cgroup:?}\n{keys}\n"
        ),
        commands: &[],
        packet: packet.to_owned(),
        answer,
        why,
    };
    let judged = "host-network = true";
    site.check(&[
        row("docker-proxy, allowed", "", "2001:db8::2 2001:db8::1 8080/tcp", Answered, "docker"),
        row("docker-proxy, refused", "", "2001:db8::66 2001:db8::1 8080/tcp", TimedOut, "dropped: inet dwnl proxied"),
        row("a container in the host's network", "", "192.0.2.66 192.0.2.1 8090/tcp", Answered, "process (not_published)"),
        row("the same, allowed", judged, "192.0.2.2 192.0.2.1 8090/tcp", Answered, "process"),
        row("the same, refused", judged, "192.0.2.66 192.0.2.1 8090/tcp", TimedOut, "dropped: inet dwnl proxied"),
        row("the same, refused over IPv6", judged, "2001:db8::66 2001:db8::1 8090/tcp", TimedOut, "dropped: inet dwnl proxied"),
        row("a service of the host", judged, "192.0.2.66 192.0.2.1 9000/tcp", Answered, "process (not_published)"),
    ]);
}
