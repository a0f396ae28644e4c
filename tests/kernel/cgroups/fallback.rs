//! Where the cgroups of sockets cannot be known.

use super::super::support::{Answer, Cgroup, Namespace, TcpEcho, Topology, apply, tcp, tcp_echo};
use super::policy;

/// How to run a program where there is no cgroup v2, and where its root is another than the kernel's.
const SURROUNDINGS: [&[&str]; 2] = [
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

/// `plan`, `apply`, and that nothing is left to do.
#[track_caller]
fn apply_in(surroundings: &[&str], host: &Namespace, policy: &str) {
    for verb in [&["plan"][..], &["apply"], &["plan", "--exit-code"]] {
        let program = [&[env!("CARGO_BIN_EXE_dwnl")], verb, &["-f", "-"]].concat();
        host.try_run(&[surroundings, &program].concat(), policy).succeeded();
    }
}

/// A host on which docker-proxy listened on port 8080 at the last apply, and does so still, though Docker's
/// rules name another by now.
fn once_known(policy: &str) -> (Topology, TcpEcho) {
    let topology = Topology::new();
    publish(&topology.host, 8080);
    let proxy = tcp_echo(&topology.host, 8080);
    apply(&topology.host, policy);
    assert!(input(&topology.host).contains("dport 8080 "));
    publish(&topology.host, 8082);
    (topology, proxy)
}

#[test]
fn known_ports_stay_as_long_as_anybody_listens() {
    let docker = Cgroup::new();
    let policy = policy(&docker.inner_path(), &[]);
    // Where it can be known whose the socket is, the port is given up: it is this test's own.
    let (Topology { host, .. }, _own) = once_known(&policy);
    apply(&host, &policy);
    assert!(!input(&host).contains("dport 8080 "));

    for surroundings in SURROUNDINGS {
        println!("{surroundings:?}");
        let (Topology { host, client }, proxy) = once_known(&policy);
        apply_in(surroundings, &host, &policy);
        for port in [8080, 8082] {
            assert!(input(&host).contains(&format!("dport {port} ")), "{}", input(&host));
        }
        for (source, expected) in
            [(Topology::REFUSED6, Answer::TimedOut), (Topology::ALLOWED6, Answer::Answered)]
        {
            assert_eq!(tcp(&client, source, Topology::HOST6, 8080), expected);
        }
        drop(proxy);
        apply_in(surroundings, &host, &policy);
        assert!(!input(&host).contains("dport 8080 "), "{}", input(&host));
    }
}

#[test]
fn no_rule_goes_by_cgroups_that_are_not_known() {
    let docker = Cgroup::new();
    let policy = format!("{}host-network = true\n", policy(&docker.inner_path(), &[]));
    for surroundings in SURROUNDINGS {
        println!("{surroundings:?}");
        let host = Namespace::new();
        apply_in(surroundings, &host, &policy);
        let listing = || host.run(&["nft", "list", "table", "inet", "dwnl"]);
        let goes_by_sockets = || listing().contains("docker-socket");
        assert!(!goes_by_sockets() && !listing().contains("cgroupv2"), "{}", listing());
        // What was installed where they are known goes, and comes back.
        apply(&host, &policy);
        assert!(goes_by_sockets() && input(&host).contains("cgroupv2"), "{}", listing());
        apply_in(surroundings, &host, &policy);
        assert!(!goes_by_sockets(), "{}", listing());
    }
}
