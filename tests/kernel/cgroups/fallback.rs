//! Environments in which the cgroups of sockets are unknown.

use super::super::support::{Answer, Cgroup, Namespace, TcpEcho, Topology, apply, tcp, tcp_echo};
use super::policy;

/// Commands that run a program without cgroup v2, and with a cgroup root other than the kernel's.
const ENVIRONMENTS: [&[&str]; 2] = [
    &["unshare", "--mount", "sh", "-c", "umount --all --types cgroup2 && exec \"$@\"", "sh"],
    &["unshare", "--cgroup"],
];

/// Docker's rules for a port that it publishes.
fn publish(host: &Namespace, port: u16) {
    let rules = format!(
        "*nat\n:PREROUTING ACCEPT\n:DOCKER -\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n\
         -A DOCKER ! -i docker0 -p tcp -m tcp --dport {port} -j DNAT --to-destination \
         172.17.0.2:80\nCOMMIT\n"
    );
    host.try_run(&["iptables-restore"], &rules).succeeded();
}

/// The chain `input`.
fn input(host: &Namespace) -> String {
    host.run(&["nft", "list", "chain", "inet", "dwnl", "input"])
}

/// Runs `plan` and `apply`, and asserts that nothing is left to change.
#[track_caller]
fn apply_in(environment: &[&str], host: &Namespace, policy: &str) {
    for verb in [&["plan"][..], &["apply"], &["plan", "--exit-code"]] {
        let program = [&[env!("CARGO_BIN_EXE_dwnl")], verb, &["-f", "-"]].concat();
        host.try_run(&[environment, &program].concat(), policy).succeeded();
    }
}

/// A host on which docker-proxy listened on port 8080 during the last apply and still listens,
/// although Docker's rules now publish another port.
fn with_known_port(policy: &str) -> (Topology, TcpEcho) {
    let topology = Topology::new();
    publish(&topology.host, 8080);
    let proxy = tcp_echo(&topology.host, 8080);
    apply(&topology.host, policy);
    assert!(input(&topology.host).contains("dport 8080 "));
    publish(&topology.host, 8082);
    (topology, proxy)
}

#[test]
fn known_ports_are_kept_while_a_socket_listens() {
    let docker = Cgroup::new();
    let policy = policy(&docker.inner_path(), &[]);
    // Where the socket's cgroup is known, the port is dropped: the socket belongs to this test.
    let (Topology { host, .. }, _own) = with_known_port(&policy);
    apply(&host, &policy);
    assert!(!input(&host).contains("dport 8080 "));

    for environment in ENVIRONMENTS {
        println!("{environment:?}");
        let (Topology { host, client }, proxy) = with_known_port(&policy);
        apply_in(environment, &host, &policy);
        for port in [8080, 8082] {
            assert!(input(&host).contains(&format!("dport {port} ")), "{}", input(&host));
        }
        for (source, expected) in
            [(Topology::REFUSED6, Answer::TimedOut), (Topology::ALLOWED6, Answer::Answered)]
        {
            assert_eq!(tcp(&client, source, Topology::HOST6, 8080), expected);
        }
        drop(proxy);
        apply_in(environment, &host, &policy);
        assert!(!input(&host).contains("dport 8080 "), "{}", input(&host));
    }
}

#[test]
fn no_rule_matches_unknown_cgroups() {
    let docker = Cgroup::new();
    let policy = format!("{}host-network = true\n", policy(&docker.inner_path(), &[]));
    for environment in ENVIRONMENTS {
        println!("{environment:?}");
        let host = Namespace::new();
        apply_in(environment, &host, &policy);
        let listing = || host.run(&["nft", "list", "table", "inet", "dwnl"]);
        let matches_sockets = || listing().contains("docker-socket");
        assert!(!matches_sockets() && !listing().contains("cgroupv2"), "{}", listing());
        // An apply that knows the cgroups adds the rules; one that does not removes them.
        apply(&host, &policy);
        assert!(matches_sockets() && listing().contains("cgroupv2"), "{}", listing());
        apply_in(environment, &host, &policy);
        assert!(!matches_sockets(), "{}", listing());
    }
}
