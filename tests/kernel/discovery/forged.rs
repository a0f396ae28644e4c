//! Rules that operators or attackers add to Docker's chains.

use dwnl::model::{Docker, Name};

use super::super::POLICY;
use super::super::guard::{behind, publish};
use super::super::support::{Answer, Namespace, Topology, apply, udp, wait_for};
use super::{bridge, docker, texts};

/// The rules of Docker 20.10 or 28.5 for `docker0`, with no port published.
const OLD: &str = "*filter
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
COMMIT
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
COMMIT
";
const NEW: &str = "*filter
:DOCKER - [0:0]
:DOCKER-BRIDGE - [0:0]
:DOCKER-CT - [0:0]
:DOCKER-FORWARD - [0:0]
:DOCKER-INTERNAL - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
-A FORWARD -j DOCKER-FORWARD
-A DOCKER ! -i docker0 -o docker0 -j DROP
-A DOCKER-BRIDGE -o docker0 -j DOCKER
-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i docker0 -j ACCEPT
COMMIT
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
";

/// A host with `eth0`, Docker's bridge `docker0`, the bridge `lxcbr0` of another program, and
/// `br-lan`, which has a host interface as a port.
fn host(rules: &str) -> Namespace {
    let Topology { host, .. } = Topology::new();
    bridge(&host, "docker0", &["veth0123456"]);
    bridge(&host, "lxcbr0", &["vethABCDEF"]);
    bridge(&host, "br-lan", &["eth7"]);
    host.try_run(&["iptables-restore"], rules).succeeded();
    host
}

fn iptables(host: &Namespace, rule: &str) {
    host.run(&["iptables"].into_iter().chain(rule.split_whitespace()).collect::<Vec<_>>());
}

fn names<'a>(names: impl IntoIterator<Item = &'a Name>) -> Vec<&'a str> {
    names.into_iter().map(Name::as_ref).collect()
}

/// Asserts that the rules do not change what dwnl discovers about Docker's networks.
#[track_caller]
fn reveals_nothing(rules: &[&str]) {
    for docker_rules in [OLD, NEW] {
        let host = host(docker_rules);
        let before = docker(&host);
        assert_eq!(names(&before.inside), ["docker0"], "the control");
        rules.iter().for_each(|rule| iptables(&host, rule));
        let Docker { bridges, inside, shared_bridges, routed, .. } = docker(&host);
        assert_eq!(
            (bridges, inside, shared_bridges, routed),
            (before.bridges, before.inside, before.shared_bridges, before.routed),
            "{rules:?}"
        );
    }
}

/// Each of these rules once made dwnl treat all of `eth0` as inside.
const OPENINGS: [&str; 9] = [
    "-I DOCKER -i eth0 ! -s 192.0.2.2 -p tcp --dport 9999 -j DROP",
    "-t nat -I DOCKER -i eth0 -j RETURN",
    "-t nat -I DOCKER -i eth0 -p tcp --dport 9999 -j RETURN",
    "-t nat -I DOCKER -i eth0 -s 192.0.2.2 -j RETURN",
    "-t nat -I DOCKER ! -i eth0 -p tcp --dport 9999 -j DNAT --to-destination 172.17.0.9:80",
    "-I DOCKER-ISOLATION-STAGE-1 -i eth0 -j RETURN",
    "-I DOCKER-ISOLATION-STAGE-1 -i eth0 ! -o eth0 -j DOCKER-ISOLATION-STAGE-2",
    "-I DOCKER-ISOLATION-STAGE-2 -o eth0 -j DROP",
    "-I DOCKER-ISOLATION-STAGE-2 -o eth0 -j RETURN",
];

#[test]
fn a_host_interface_is_never_inside() {
    for rule in OPENINGS {
        reveals_nothing(&[rule]);
    }
    // Not even all forms together: `eth0` is not a bridge.
    reveals_nothing(&FORMS.map(|form| form.replace("BR", "eth0")).each_ref().map(String::as_str));
}

/// The same with packets: the refused client stays blocked.
#[test]
fn no_rule_lets_the_refused_client_in() {
    let Topology { host, client } = Topology::new();
    let (_container, _echo) = behind(&host, "docker7");
    publish(&host, "docker7");
    // Only the chains of the filter table; those of the nat table already exist.
    let (filter, _) = OLD.split_once("*nat").expect("both tables");
    host.try_run(&["iptables-restore", "--noflush"], filter).succeeded();
    let policy = POLICY.replace("tcp", "udp");
    let attempt = |source| udp(&client, source, Topology::HOST, 8080);
    wait_for("an answer", || (attempt(Topology::REFUSED) == Answer::Answered).then_some(()));
    for rule in OPENINGS {
        iptables(&host, rule);
        apply(&host, &policy);
        let answers = [Topology::ALLOWED, Topology::REFUSED].map(attempt);
        // What the rule returns from Docker's chain is not translated, and the host has no
        // listener.
        let returns = rule.starts_with("-t nat") && rule.ends_with("-j RETURN");
        assert_ne!(answers[1], Answer::Answered, "{rule}");
        assert!(returns || answers[0] == Answer::Answered, "{rule}: {answers:?}");
        let undo = rule.replace("-I ", "-D ");
        iptables(&host, &undo);
    }
}

/// The rules that a Docker version may write for a bridge.
const FORMS: [&str; 5] = [
    "-t nat -I DOCKER -i BR -j RETURN",
    "-I FORWARD -o BR -j DOCKER",
    "-I DOCKER ! -i BR -o BR -j DROP",
    "-I DOCKER-ISOLATION-STAGE-1 -i BR ! -o BR -j DOCKER-ISOLATION-STAGE-2",
    "-I DOCKER-ISOLATION-STAGE-2 -o BR -j DROP",
];

#[test]
fn a_foreign_bridge_is_not_mistaken_for_dockers() {
    // One method to isolate other containers from Docker's.
    reveals_nothing(&[
        "-I DOCKER-ISOLATION-STAGE-1 -i lxcbr0 ! -o lxcbr0 -j DOCKER-ISOLATION-STAGE-2",
        "-I DOCKER-ISOLATION-STAGE-2 -o lxcbr0 -j DROP",
    ]);
    // Rules that any router may have in FORWARD.
    reveals_nothing(&[
        "-I FORWARD -i lxcbr0 ! -o lxcbr0 -j ACCEPT",
        "-I FORWARD -i lxcbr0 -o lxcbr0 -j ACCEPT",
        "-I FORWARD -o lxcbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-t nat -I POSTROUTING -s 10.0.3.0/24 ! -o lxcbr0 -j MASQUERADE",
    ]);
    for form in FORMS {
        reveals_nothing(&[&form.replace("BR", "lxcbr0")]);
        reveals_nothing(&[&form.replace("BR", "br-lan")]);
    }
}

/// A form with an additional condition, or with an interface wildcard, is not Docker's.
#[test]
fn a_rule_with_any_other_condition_reveals_nothing() {
    for condition in [
        "-m comment --comment mine",
        "-m mark --mark 1",
        "-s 10.0.3.0/24",
        "-m conntrack --ctstate NEW",
        "-p tcp",
    ] {
        let forms = FORMS.map(|form| form.replace("BR", "lxcbr0"));
        let forms = forms.map(|form| form.replace(" -j ", &format!(" {condition} -j ")));
        reveals_nothing(&forms.each_ref().map(String::as_str));
    }
    let wildcards = FORMS.map(|form| form.replace("BR", "lxcbr+"));
    reveals_nothing(&wildcards.each_ref().map(String::as_str));
}

/// Control: all forms together identify a bridge of Docker's, and its foreign ports are found.
#[test]
fn all_forms_together_identify_a_docker_bridge() {
    for (name, inside, shared) in [("lxcbr0", false, true), ("br-lan", false, true)] {
        let host = host(OLD);
        FORMS.iter().for_each(|form| iptables(&host, &form.replace("BR", name)));
        let found = docker(&host);
        assert!(found.bridges.contains(name), "{found:?}");
        assert_eq!(found.inside.contains(name), inside, "{found:?}");
        assert_eq!(found.shared_bridges.contains_key(name), shared, "{found:?}");
    }
    let host = host(OLD);
    bridge(&host, "web0", &["vethabcdef0"]);
    FORMS.iter().for_each(|form| iptables(&host, &form.replace("BR", "web0")));
    assert_eq!(names(&docker(&host).inside), ["docker0", "web0"]);
    // A virtual machine's tap device as a port.
    host.run(&["ip", "tuntap", "add", "tap0", "mode", "tap"]);
    host.run(&["ip", "link", "set", "tap0", "master", "web0"]);
    let found = docker(&host);
    assert_eq!(names(&found.inside), ["docker0"]);
    assert_eq!(names(&found.bridges), ["docker0", "web0"]);
    assert_eq!(names(&found.shared_bridges["web0"]), ["tap0"]);
}

/// Such a rule once made `docker0` routed: clients of a published port could have reached the
/// containers' own ports of the same number.
#[test]
fn accepting_icmp_makes_no_network_routed() {
    for rule in [
        "-I DOCKER -p icmp -o docker0 -j ACCEPT",
        "-A DOCKER -p icmp -o docker0 -j ACCEPT",
        "-I DOCKER -p icmp -o docker0 -s 192.0.2.2 -j ACCEPT",
        "-I DOCKER -p icmp --icmp-type 8 -o docker0 -j ACCEPT",
        "-I DOCKER -p icmp ! -o docker0 -j ACCEPT",
        "-I DOCKER -p icmp -o eth0 -j ACCEPT",
        "-I DOCKER -p icmp -j ACCEPT",
    ] {
        reveals_nothing(&[rule]);
    }
}

/// With Docker 28 the isolation rules must match as well, even without masquerading.
#[test]
fn accepting_icmp_makes_no_network_routed_without_masquerading() {
    let host =
        host(&NEW.replace("-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n", ""));
    iptables(
        &host,
        "-I DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2",
    );
    iptables(&host, "-I DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP");
    iptables(&host, "-I DOCKER -p icmp -o docker0 -j ACCEPT");
    assert!(docker(&host).routed.is_empty());
    // Control.
    iptables(&host, "-I DOCKER-ISOLATION-STAGE-1 -o docker0 -j RETURN");
    let established = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT";
    iptables(&host, &format!("-I DOCKER-ISOLATION-STAGE-1 -i docker0 {established}"));
    assert_eq!(docker(&host).routed.len(), 1);
}

/// A port that an operator translates in Docker's chain is guarded too, whatever other matches the
/// rule has. A rule that cannot be read is reported.
#[test]
fn an_operators_dnat_rule_only_restricts() {
    let host = host(OLD);
    let target = "-j DNAT --to-destination 172.17.0.9:80";
    for condition in ["-i eth0", "-s 192.0.2.2", "! -d 192.0.2.1", "-m mark --mark 1"] {
        iptables(&host, &format!("-t nat -A DOCKER {condition} -p tcp --dport 9999 {target}"));
        assert_eq!(texts(&docker(&host).published), ["9999/tcp"], "{condition}");
        iptables(&host, "-t nat -D DOCKER 2");
    }
    iptables(&host, &format!("-t nat -A DOCKER -p tcp -m multiport --dports 9000,9001 {target}"));
    let found = docker(&host);
    assert!(found.published.is_empty());
    let [unreadable] = &Vec::from_iter(found.unreadable)[..] else { panic!("not one") };
    assert!(unreadable.starts_with("ip nat DOCKER: "), "{unreadable}");
    assert_eq!(names(&found.bridges), ["docker0"]);
}
