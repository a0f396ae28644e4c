//! Docker 29 with each of its backends, represented by the rules that it writes, because no Debian
//! suite has it yet. The networks, the containers and docker-proxy belong to a dockerd that writes
//! no rules.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::super::site::{ECHO, Site};
use super::super::support::{
    Answer, Topology, UdpEcho, apply, remove, tcp, tcp_echo, udp_echo, uncovered_ports,
};
use super::{
    ALL, NONE, ONLY_ALLOWED, address, answered, expect_both, expect_both6, expect_udp, unguarded,
};

/// Port 80 is the own port of the container in the routed network.
const POLICY: &str = r#"
[[allow]]
ports = ["8080-8081/tcp", "8080/udp", "80/tcp"]
from = ["192.0.2.2", "2001:db8::2"]
"#;

const FLAGS: [&str; 4] =
    ["--iptables=false", "--ip6tables=false", "--ipv6", "--fixed-cidr-v6=fd00:db8::/64"];

/// The networks of `tests/fixtures/docker-29`, each with a container, and the rules to load.
struct Docker29 {
    site: Site,
    addresses: Vec<(&'static str, String)>,
    _dns: UdpEcho,
}

/// The fixtures.
const NFTABLES: &str = include_str!("../../fixtures/docker-29/nftables.nft");
const IPTABLES: &str = include_str!("../../fixtures/docker-29/iptables.rules");
const IP6TABLES: &str = include_str!("../../fixtures/docker-29/ip6tables.rules");

impl Docker29 {
    fn new() -> Docker29 {
        let site = Site::service(&FLAGS);
        let web = ["-p", "8080:80", "-p", "8080:80/udp", "-p", "192.0.2.3:8081:80"];
        let web = [&web[..], &["-p", "127.0.0.1:8084:80"]].concat();
        site.docker.run("web", &web, ECHO);
        let mut addresses = vec![("WEB4", address(&site, "web"))];
        let format = "{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}";
        let web6 = site.docker.client(&["inspect", "-f", format, "web"]);
        addresses.push(("WEB6", web6.trim().to_owned()));
        let networks = [
            ("NAMED4", "web0", "10.78.0.0/24", "nat", "8085:80"),
            // A Docker that does not know the mode would publish a port here.
            ("ROUTED4", "routed0", "10.77.0.0/24", "routed", ""),
            ("DIRECT4", "direct0", "10.79.0.0/24", "nat-unprotected", "8089:80"),
        ];
        for (name, bridge, subnet, mode, port) in networks {
            addresses.push((name, start_in(&site, bridge, subnet, mode, port)));
        }
        let _dns = udp_echo(&site.docker.namespace("web"), 80);
        Docker29 { site, addresses, _dns }
    }

    /// The text of a fixture with the containers' addresses.
    fn rules(&self, fixture: &str) -> String {
        let replace = |text: String, (name, address): &(&str, String)| text.replace(name, address);
        self.addresses.iter().fold(fixture.to_owned(), replace)
    }

    fn load(&self, program: &[&str], fixture: &str) {
        self.site.topology.host.try_run(program, &self.rules(fixture)).succeeded();
    }

    fn address(&self, desired: &str) -> &str {
        let found = self.addresses.iter().find(|(name, _)| *name == desired);
        &found.expect("an address").1
    }

    /// Asserts the answers to both clients: on ports that the policy allows, on other published
    /// ports, and on a container's own address that is routed through the host.
    #[track_caller]
    fn expect(&self, published: [Answer; 2], others: [Answer; 2], direct: [Answer; 2]) {
        let site = &self.site;
        expect_both(site, Topology::HOST, 8080, published);
        expect_both6(site, Topology::HOST6, 8080, published);
        expect_both(site, Topology::HOST_SECOND, 8081, published);
        for target in [Topology::HOST, Topology::HOST6] {
            expect_udp(site, target, 8080, published);
        }
        expect_both(site, self.address("ROUTED4"), 80, published);
        for port in [8085, 8089] {
            expect_both(site, Topology::HOST, port, others);
        }
        expect_both(site, self.address("DIRECT4"), 80, direct);
    }

    /// Asserts on each path first the open port, then that it is blocked, also while Docker writes
    /// its rules again.
    fn is_guarded(&self, load: impl Fn()) {
        let host = &self.site.topology.host;
        load();
        self.expect(ALL, ALL, ALL);
        apply(host, &self.site.policy_with(POLICY, ""));
        self.expect(ONLY_ALLOWED, NONE, NONE);
        answered("the host itself", || tcp(host, "127.0.0.1", "127.0.0.1", 8084));
        self.no_client_gets_in_while(|| (0..20).for_each(|_| load()));
        self.expect(ONLY_ALLOWED, NONE, NONE);
        apply(host, &self.site.policy_with(POLICY, "direct-routing = \"allowed\""));
        self.expect(ONLY_ALLOWED, NONE, ONLY_ALLOWED);
        remove(host);
        self.expect(ALL, ALL, ALL);
    }

    /// Asserts that the refused client, which connects continuously, is never answered while
    /// `meanwhile` runs.
    fn no_client_gets_in_while(&self, meanwhile: impl FnOnce()) {
        let done = AtomicBool::new(false);
        let client = &self.site.topology.client;
        thread::scope(|scope| {
            let paths =
                [(Topology::REFUSED, Topology::HOST), (Topology::REFUSED6, Topology::HOST6)];
            for (source, target) in paths {
                let done = &done;
                scope.spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        assert_ne!(tcp(client, source, target, 8080), Answer::Answered, "{source}");
                    }
                });
            }
            let _stop = StopOnDrop(&done);
            meanwhile();
        });
    }
}

/// Stops the clients, also when the test fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Starts a container in a network of its own, with a route for the clients. Returns its address.
fn start_in(site: &Site, bridge: &str, subnet: &str, mode: &str, port: &str) -> String {
    let name = format!("com.docker.network.bridge.name={bridge}");
    // A Docker that does not know the mode creates an ordinary network.
    let mode = format!("com.docker.network.bridge.gateway_mode_ipv4={mode}");
    let options = ["--subnet", subnet, "-o", &name, "-o", &mode, bridge];
    site.docker.client(&[&["network", "create"], &options[..]].concat());
    site.topology.client.run(&["ip", "route", "add", subnet, "via", Topology::HOST]);
    let publish: &[&str] = if port.is_empty() { &[] } else { &["-p", port] };
    site.docker.run(bridge, &[&["--network", bridge], publish].concat(), ECHO);
    address(site, bridge)
}

#[test]
fn the_nftables_backend_is_guarded() {
    let docker = Docker29::new();
    // Docker loads all rules at once, at its start and at each change.
    docker.is_guarded(|| {
        let fresh = "add table FAMILY docker-bridges\ndelete table FAMILY docker-bridges\n";
        let fresh = ["ip", "ip6"].map(|family| fresh.replace("FAMILY", family)).concat();
        docker.load(&["nft", "-f", "-"], &(fresh + NFTABLES));
    });
}

#[test]
fn the_iptables_backend_is_guarded() {
    let docker = Docker29::new();
    // dwnl's chains and jumps stay, because Docker's iptables calls do not touch them.
    docker.is_guarded(|| {
        for (iptables, fixture) in [("iptables", IPTABLES), ("ip6tables", IP6TABLES)] {
            load_and_keep_others(&docker, iptables, fixture);
        }
    });
}

/// Loads the rules and keeps those of other programs in the same chains: Docker's own chains are
/// refilled, and its jumps appended once.
fn load_and_keep_others(docker: &Docker29, iptables: &str, fixture: &str) {
    let host = &docker.site.topology.host;
    let rules = docker.rules(fixture);
    let existing = host.run(&[&format!("{iptables}-save")]);
    let is_jump = |line: &str| line.starts_with("-A ") && !line.starts_with("-A DOCKER");
    let lines = rules.lines().filter(|line| !(is_jump(line) && existing.contains(line)));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    host.try_run(&[&format!("{iptables}-restore"), "--noflush"], &text).succeeded();
}

#[test]
fn the_host_can_use_a_port_released_by_the_iptables_backend() {
    let site = Site::service(&FLAGS);
    let host = &site.topology.host;
    site.publish_web();
    let nat = "*nat\n:DOCKER -\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n";
    let port = "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination ";
    let port = format!("{port}{}:80\n", address(&site, "web"));
    host.try_run(&["iptables-restore"], &format!("{nat}{port}COMMIT\n")).succeeded();
    expect_both(&site, Topology::HOST, 8080, ALL);
    apply(host, &site.policy_with(super::POLICY, ""));
    expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);

    site.docker.client(&["rm", "-f", "web"]);
    host.run(&["iptables", "-t", "nat", "-F", "DOCKER"]);
    apply(host, &site.policy_with(super::POLICY, ""));
    let _own = tcp_echo(host, 8080);
    expect_both(&site, Topology::HOST, 8080, ALL);
    expect_both6(&site, Topology::HOST6, 8080, ALL);
}

#[test]
fn the_nftables_backend_without_the_guard_causes_a_warning() {
    let docker = Docker29::new();
    let host = &docker.site.topology.host;
    docker.load(&["nft", "-f", "-"], NFTABLES);
    let outcome = apply(host, &unguarded());
    docker.expect(ALL, ALL, ALL);
    let warnings = outcome["warnings"].to_string();
    for word in ["8085/tcp", "nftables"] {
        assert!(warnings.contains(word), "{word}: {outcome}");
    }
    // All clients reach these ports, whatever the policy says.
    assert_eq!(uncovered_ports(&outcome), [""; 0], "{outcome}");
}

#[test]
fn each_published_and_routed_port_is_reported_once() {
    let docker = Docker29::new();
    docker.load(&["nft", "-f", "-"], NFTABLES);
    let outcome = apply(&docker.site.topology.host, &docker.site.policy_with("", ""));
    let reported = uncovered_ports(&outcome);
    let named = |port: &str| reported.iter().filter(|text| text.starts_with(port)).count();
    for port in ["80/tcp", "8080/tcp", "8080/udp", "8081/tcp", "8085/tcp", "8089/tcp"] {
        assert_eq!(named(port), 1, "{port}: {reported:?}");
    }
    assert_eq!(reported.len(), 6, "{reported:?}");
}
