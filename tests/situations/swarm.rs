//! Swarm's ingress network, represented by the rules that Docker writes for it.

use super::situation::{ECHO, Site, Situation};
use super::support::{Answer, UNGUARDED};

const RULES: [&str; 8] = [
    "-t nat -N DOCKER-INGRESS",
    "-t filter -N DOCKER-INGRESS",
    "-t nat -A DOCKER-INGRESS -p tcp -m tcp --dport 8090 -j DNAT --to-destination ADDRESS:80",
    "-t nat -A DOCKER-INGRESS -j RETURN",
    "-t filter -A DOCKER-INGRESS -p tcp -m tcp --dport 80 -j ACCEPT",
    "-t filter -A DOCKER-INGRESS -j RETURN",
    "-t filter -I FORWARD -j DOCKER-INGRESS",
    "-t nat -I PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS",
];

/// Moves Swarm's jump above dwnl's, as Docker does when it creates the network again.
const ABOVE: [&str; 2] = [
    "iptables -t nat -D PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS",
    "iptables -t nat -I PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS",
];

#[test]
fn a_service_of_a_swarm_is_guarded() {
    let site = Site::new(&[]);
    let name = "com.docker.network.bridge.name=docker_gwbridge";
    site.docker.client(&["network", "create", "-o", name, "docker_gwbridge"]);
    site.docker.run("service", &["--network", "docker_gwbridge"], ECHO);
    let address = site.address("service");
    for rule in RULES {
        let rule = rule.replace("ADDRESS", &address);
        let words: Vec<&str> = ["iptables"].into_iter().chain(rule.split(' ')).collect();
        site.host().run(&words);
    }
    let row = |name, settings: &str, source, answer, why| Situation {
        name,
        policy: format!("[[allow]]\nports = [\"8090\"]\nfrom = [\"192.0.2.2\"]\n{settings}"),
        commands: &ABOVE,
        packet: format!("{source} 192.0.2.1 8090/tcp"),
        answer,
        why,
    };
    let refused = "192.0.2.66";
    site.check(&[
        row("allowed", "", "192.0.2.2", Answer::Answered, "forwarded"),
        row("refused", "", refused, Answer::TimedOut, "dropped: inet dwnl translated"),
        row("not guarded", UNGUARDED, refused, Answer::Answered, "forwarded (drift)"),
    ]);
}
