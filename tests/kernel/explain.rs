//! What `explain` prints: 80 columns wide, whatever it finds.

use std::fs;
use std::path::Path;

use super::support::{Namespace, Topology, apply, dwnl};

/// Docker's rules for a container that is published as 8080.
const DOCKER: &str = "*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT
";

const POLICY: &str = r#"[sources]
office = ["192.0.2.2", "2001:db8::2"]

[[allow]]
name = "web"
ports = ["8080"]
from = ["office"]
"#;

fn host() -> Topology {
    let topology = Topology::new();
    for command in [
        "ip link add docker0 type bridge",
        "ip address add 172.17.0.1/16 dev docker0",
        "ip link set docker0 up",
        "sysctl -qw net.ipv4.ip_forward=1",
    ] {
        run(&topology.host, command);
    }
    topology.host.try_run(&["iptables-restore"], DOCKER).succeeded();
    topology
}

fn run(host: &Namespace, command: &str) {
    host.run(&command.split(' ').collect::<Vec<_>>());
}

/// The command, what it prints and its exit status.
fn explained(host: &Namespace, words: &str, policy: &str) -> String {
    let args: Vec<&str> = ["explain", "-f", "-"].into_iter().chain(words.split(' ')).collect();
    let output = dwnl(host, &args, policy);
    let status = output.status.code().expect("an exit status");
    format!("$ dwnl explain {words}\n{}{}exit status {status}\n\n", output.stdout, output.stderr)
}

#[test]
fn the_text_is_as_recorded() {
    let Topology { host, client: _client } = host();
    let mut text = explained(&host, "192.0.2.66 8080", POLICY);
    apply(&host, POLICY);
    for words in [
        "192.0.2.2 8080",
        "192.0.2.66 8080",
        "192.0.2.66 8080 -v",
        "2001:db8::66 8080",
        "192.0.2.2 22/udp",
        "192.0.2.1 8080",
        "203.0.113.9 8080",
        "203.0.113.9 8080 --in-interface eth1",
        "192.0.2.2 8080 --in-interface eth9",
    ] {
        text += &explained(&host, words, POLICY);
    }
    text += &explained(&host, "192.0.2.2 8080", "[[allow]]\nports = [\"0\"]\n");
    run(&host, "iptables -I DOCKER-USER -i eth0 -m recent --name seen --rcheck -j DROP");
    text += &explained(&host, "192.0.2.2 8080", POLICY);
    run(
        &host,
        "iptables -I DOCKER-USER -s 192.0.2.0/24 -p tcp -m conntrack --ctorigdstport 8080 -j DROP",
    );
    text += &explained(&host, "192.0.2.2 8080", POLICY);

    let wide = text.lines().filter(|line| line.starts_with(' ') && line.chars().count() > 80);
    assert_eq!(wide.collect::<Vec<_>>(), Vec::<&str>::new());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/explain.txt");
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == recorded, "{} differs from:\n{text}<end>", path.display());
}
