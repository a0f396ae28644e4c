//! The object that `explain` prints: of packets that are allowed, refused, and not understood.

use super::checker::Checker;
use super::commands::{DOCKER, printed};
use super::support::{Topology, apply, udp};

/// An interface for containers, and a port that is published at two addresses.
const COMMANDS: [&str; 6] = [
    "ip link add docker0 type bridge",
    "ip address add 172.17.0.1/16 dev docker0",
    "ip link set docker0 up",
    "sysctl -qw net.ipv4.ip_forward=1",
    "nft add rule ip nat DOCKER ip daddr 192.0.2.1 tcp dport 8090 dnat to 172.17.0.3:80",
    "nft add rule ip nat DOCKER ip daddr 192.0.2.3 tcp dport 8090 dnat to 172.17.0.3:80",
];

const POLICY: &str = r#"
[sources]
office = ["192.0.2.2"]

[[allow]]
name = "web"
ports = ["8080", "8090"]
from = ["office"]
limit = "20/second"
connections = 9
until = 2099-01-01
"#;

/// Checks the objects.
pub fn explain(checker: &mut Checker) {
    let Topology { host, client } = Topology::new();
    host.try_run(&["nft", "-f", "-"], DOCKER).succeeded();
    let run = |command: &str| host.run(&command.split(' ').collect::<Vec<_>>());
    for command in COMMANDS {
        run(command);
    }
    let printed = |words: &str, policy: &str, status| {
        let args: Vec<&str> = ["explain", "-f", "-"].into_iter().chain(words.split(' ')).collect();
        printed(&host, &args, policy, status)
    };
    // Not installed, then installed.
    checker.expect("explain", &printed("192.0.2.66 8080", POLICY, 0));
    apply(&host, POLICY);
    checker.expect("explain", &printed("192.0.2.2 8090", POLICY, 0));
    checker.expect("explain", &printed("192.0.2.66 8090", POLICY, 3));
    checker.expect("explain", &printed("192.0.2.66 8080", "[[allow]]", 3));
    let denying = format!("{POLICY}[[deny]]\nname = 'bans'\nfrom = ['192.0.2.66']\n");
    checker.expect("explain", &printed("192.0.2.66 8090", &denying, 3));
    // Nothing listens, and there is a flow without an answer.
    udp(&client, "192.0.2.2", "192.0.2.1", 9000);
    checker.expect("explain", &printed("192.0.2.2 9000/udp", POLICY, 3));
    run("iptables -I FORWARD -m recent --name seen --rcheck -j DROP");
    checker.expect("explain", &printed("192.0.2.2 8080", POLICY, 4));
}
