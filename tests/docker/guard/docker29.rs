//! Docker 29 with either of its backends, by the rules that it writes: no suite of Debian's has it yet. The
//! networks, the containers and docker-proxy are those of a dockerd that writes none itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::super::site::{ECHO, Site};
use super::super::support::{Answer, Topology, UdpEcho, apply, remove, tcp, tcp_echo, udp_echo};
use super::{
    ALL, ALLOWED_ALONE, NOBODY, address, answered, expect_both, expect_both6, expect_udp, unguarded,
};

/// The container's own port 80 is that of the routed network.
const POLICY: &str = r#"
[[allow]]
ports = ["8080-8081/tcp", "8080/udp", "80/tcp"]
from = ["192.0.2.2", "2001:db8::2"]
"#;

const FLAGS: [&str; 4] =
    ["--iptables=false", "--ip6tables=false", "--ipv6", "--fixed-cidr-v6=fd00:db8::/64"];

/// The networks of `tests/fixtures/docker-29`, each with a container, and the rules to be loaded.
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
            // An older Docker, which does not know the mode, would publish a port for it.
            ("ROUTED4", "routed0", "10.77.0.0/24", "routed", ""),
            ("DIRECT4", "direct0", "10.79.0.0/24", "nat-unprotected", "8089:80"),
        ];
        for (name, bridge, subnet, mode, port) in networks {
            addresses.push((name, start_in(&site, bridge, subnet, mode, port)));
        }
        let _dns = udp_echo(&site.docker.namespace("web"), 80);
        Docker29 { site, addresses, _dns }
    }

    /// A fixture with the addresses of the containers.
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

    /// What becomes of both clients on what the policy allows, on what it does not, and by the address of
    /// a container to which the host is the way.
    #[track_caller]
    fn expect(&self, published: [Answer; 2], others: [Answer; 2], direct: [Answer; 2]) {
        let site = &self.site;
        expect_both(site, Topology::HOST, 8080, published);
        expect_both6(site, Topology::HOST6, 8080, published);
        expect_both(site, Topology::HOST_TOO, 8081, published);
        for target in [Topology::HOST, Topology::HOST6] {
            expect_udp(site, target, 8080, published);
        }
        expect_both(site, self.address("ROUTED4"), 80, published);
        for port in [8085, 8089] {
            expect_both(site, Topology::HOST, port, others);
        }
        expect_both(site, self.address("DIRECT4"), 80, direct);
    }

    /// On each way first the leak, then the block; then the block while Docker writes its rules again.
    fn is_guarded(&self, load: impl Fn()) {
        let host = &self.site.topology.host;
        load();
        self.expect(ALL, ALL, ALL);
        apply(host, &self.site.told(POLICY, ""));
        self.expect(ALLOWED_ALONE, NOBODY, NOBODY);
        answered("the host itself", || tcp(host, "127.0.0.1", "127.0.0.1", 8084));
        self.nobody_gets_in_while(|| (0..20).for_each(|_| load()));
        self.expect(ALLOWED_ALONE, NOBODY, NOBODY);
        apply(host, &self.site.told(POLICY, "direct-routing = \"allowed\""));
        self.expect(ALLOWED_ALONE, NOBODY, ALLOWED_ALONE);
        remove(host);
        self.expect(ALL, ALL, ALL);
    }

    /// The refused client calls without pause.
    fn nobody_gets_in_while(&self, meanwhile: impl FnOnce()) {
        let over = AtomicBool::new(false);
        let client = &self.site.topology.client;
        thread::scope(|scope| {
            let ways = [(Topology::REFUSED, Topology::HOST), (Topology::REFUSED6, Topology::HOST6)];
            for (source, target) in ways {
                let over = &over;
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        assert_ne!(tcp(client, source, target, 8080), Answer::Answered, "{source}");
                    }
                });
            }
            let _over = Over(&over);
            meanwhile();
        });
    }
}

/// Ends the calls, however the test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A container in a network of its own, and the clients' way to it. Returns its address.
fn start_in(site: &Site, bridge: &str, subnet: &str, mode: &str, port: &str) -> String {
    let name = format!("com.docker.network.bridge.name={bridge}");
    // A Docker that does not know the mode makes an ordinary network.
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
    // As at its start and at each change: all at once.
    docker.is_guarded(|| {
        let fresh = "add table FAMILY docker-bridges\ndelete table FAMILY docker-bridges\n";
        let fresh = ["ip", "ip6"].map(|family| fresh.replace("FAMILY", family)).concat();
        docker.load(&["nft", "-f", "-"], &(fresh + NFTABLES));
    });
}

#[test]
fn the_iptables_backend_is_guarded() {
    let docker = Docker29::new();
    // dwnl's own chains and jumps stay, because Docker's own calls leave them alone.
    docker.is_guarded(|| {
        for (iptables, fixture) in [("iptables", IPTABLES), ("ip6tables", IP6TABLES)] {
            load_beside(&docker, iptables, fixture);
        }
    });
}

/// Loads the rules without what others have in the same chains being lost: Docker's own chains are filled
/// again, and its jumps are appended once.
fn load_beside(docker: &Docker29, iptables: &str, fixture: &str) {
    let host = &docker.site.topology.host;
    let rules = docker.rules(fixture);
    let there = host.run(&[&format!("{iptables}-save")]);
    let is_jump = |line: &str| line.starts_with("-A ") && !line.starts_with("-A DOCKER");
    let lines = rules.lines().filter(|line| !(is_jump(line) && there.contains(line)));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    host.try_run(&[&format!("{iptables}-restore"), "--noflush"], &text).succeeded();
}

#[test]
fn a_port_that_the_iptables_backend_has_given_up_is_the_hosts_own_again() {
    let site = Site::service(&FLAGS);
    let host = &site.topology.host;
    site.publish_web();
    let nat = "*nat\n:DOCKER -\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n";
    let port = "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination ";
    let port = format!("{port}{}:80\n", address(&site, "web"));
    host.try_run(&["iptables-restore"], &format!("{nat}{port}COMMIT\n")).succeeded();
    expect_both(&site, Topology::HOST, 8080, ALL);
    apply(host, &site.told(super::POLICY, ""));
    expect_both(&site, Topology::HOST, 8080, ALLOWED_ALONE);

    site.docker.client(&["rm", "-f", "web"]);
    host.run(&["iptables", "-t", "nat", "-F", "DOCKER"]);
    apply(host, &site.told(super::POLICY, ""));
    let _own = tcp_echo(host, 8080);
    expect_both(&site, Topology::HOST, 8080, ALL);
    expect_both6(&site, Topology::HOST6, 8080, ALL);
}

#[test]
fn without_the_guard_the_nftables_backend_is_warned_of() {
    let docker = Docker29::new();
    let host = &docker.site.topology.host;
    docker.load(&["nft", "-f", "-"], NFTABLES);
    let outcome = apply(host, &unguarded());
    docker.expect(ALL, ALL, ALL);
    let warnings = outcome["warnings"].to_string();
    for word in ["8085/tcp", "nftables"] {
        assert!(warnings.contains(word), "{word}: {outcome}");
    }
    // Nobody is kept from these ports, whatever the policy says.
    let closed = outcome["unmentioned"].as_array().map_or(0, Vec::len);
    assert_eq!(closed, 0, "{outcome}");
}

#[test]
fn a_port_is_reported_once_and_a_routed_one_too() {
    let docker = Docker29::new();
    docker.load(&["nft", "-f", "-"], NFTABLES);
    let outcome = apply(&docker.site.topology.host, &docker.site.told("", ""));
    let told: Vec<String> =
        serde_json::from_value(outcome["unmentioned"].clone()).expect("a list of ports");
    let named = |port: &str| told.iter().filter(|told| told.starts_with(port)).count();
    for port in ["80/tcp", "8080/tcp", "8080/udp", "8081/tcp", "8085/tcp", "8089/tcp"] {
        assert_eq!(named(port), 1, "{port}: {told:?}");
    }
    assert_eq!(told.len(), 6, "{told:?}");
}
