//! All disturbances of dwnl's rules by other programs, each first without a watch as a control.

use super::support::{Files, Namespace, Watch, apply, plan, saved, state};
use super::{DOCKER, host, is_in_force, policy, wait_until_in_force};

/// The disturbances: commands with their input.
const DISTURBANCES: [&[(&str, &str)]; 18] = [
    // Swarm.
    &[
        ("iptables -t nat -N DOCKER-INGRESS", ""),
        ("iptables -t nat -I PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS", ""),
    ],
    &[("iptables -t nat -I PREROUTING 2 -i eth7 -j RETURN", "")],
    &[("iptables -t nat -D PREROUTING 1", "")],
    &[("ip6tables -t nat -D PREROUTING 2", "")],
    &[("iptables -t nat -F PREROUTING", "")],
    &[("iptables -t nat -F DOCKER-BLOCK", "")],
    &[("ip6tables -t nat -F DOCKER-BLOCK-GUARD", "")],
    &[("iptables -t nat -I DOCKER-BLOCK -j DOCKER", "")],
    &[("iptables -t nat -F", ""), ("ip6tables -t nat -F", "")],
    &[("nft delete table inet dwnl", "")],
    &[("nft flush ruleset", "")],
    &[("nft flush chain inet dwnl forward", "")],
    &[("nft delete element inet dwnl many-4 { 10.0.0.1 }", "")],
    &[("nft add element inet dwnl many-4 { 203.0.113.77 }", "")],
    &[("nft -f -", "add table inet dwnl { flags dormant; }")],
    &[("nft add chain inet dwnl foreign { type filter hook input priority 0; policy drop; }", "")],
    // Docker publishes another port, which the guard has to learn because of docker-proxy.
    &[(
        "iptables -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8081 -j DNAT \
         --to-destination 172.17.0.3:80",
        "",
    )],
    // Rules saved before dwnl was installed are restored.
    &[("iptables-restore", DOCKER)],
];

fn disturb(host: &Namespace, disturbance: &[(&str, &str)]) {
    for (command, input) in disturbance {
        let words: Vec<&str> = command.split_whitespace().collect();
        host.try_run(&words, input).succeeded();
    }
}

#[test]
fn all_disturbances_are_repaired() {
    let policy = policy();
    for disturbance in DISTURBANCES {
        let control = host();
        apply(&control, &policy);
        disturb(&control, disturbance);
        assert!(!is_in_force(&control, &policy), "no disturbance: {disturbance:?}");
        apply(&control, &policy);

        let host = host();
        let mut watch = Watch::start(&host, &policy);
        disturb(&host, disturbance);
        wait_until_in_force(&host, &policy, &format!("the repair after {disturbance:?}"));
        assert_eq!(state(&host), state(&control), "{disturbance:?}");
        assert_eq!(saved(&host), saved(&control), "{disturbance:?}");
        assert!(watch.is_running());
        watch.logged("repaired ");
    }
}

#[test]
fn consecutive_disturbances_are_repaired_and_reported() {
    let (host, policy) = (host(), policy());
    let watch = Watch::start(&host, &policy);
    for (times, command, expected) in [
        (1, "iptables -t nat -D PREROUTING 1", "process iptables (pid "),
        (2, "nft delete table inet dwnl", "deleted table inet dwnl"),
        (3, "ip6tables -t nat -F DOCKER-BLOCK", "process ip6tables (pid "),
    ] {
        disturb(&host, &[(command, "")]);
        wait_until_in_force(&host, &policy, command);
        watch.logged_times("repaired ", times);
        let log = watch.log();
        let line = log.lines().rfind(|line| line.contains("repaired ")).expect("a line");
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn irrelevant_changes_are_left_alone() {
    let (host, policy) = (host(), policy());
    let watch = Watch::start_with(&host, Files::new(&policy), &["-v"]);
    let generation = |host: &Namespace| plan(host, &policy)["generation"].as_u64();
    disturb(&host, &[("nft add table inet other", ""), ("nft add chain inet other other", "")]);
    disturb(&host, &[("iptables -t nat -A POSTROUTING -s 10.7.0.0/16 -j MASQUERADE", "")]);
    watch.logged("no drift found (");
    let last = generation(&host);
    disturb(&host, &[("iptables -t nat -D POSTROUTING -s 10.7.0.0/16 -j MASQUERADE", "")]);
    watch.logged_times("no drift found (", 2);
    assert_eq!(generation(&host), last.map(|last| last + 1), "nothing was sent");
    assert!(!watch.log().contains("inet other"), "{}", watch.log());
    assert!(!watch.log().contains("repaired"), "{}", watch.log());
}

#[test]
fn another_namespace_is_watched_from_outside() {
    let (caller, host, policy) = (Namespace::new(), host(), policy());
    let path = host.path();
    let files = Files::new(&policy);
    let _watch = Watch::start_with(&caller, files, &["--netns", &path]);
    disturb(&host, &[("nft flush ruleset", "")]);
    wait_until_in_force(&host, &policy, "the repair");
    assert_eq!(caller.run(&["nft", "list", "ruleset"]), "");
}

/// With a set that is too large for the first transaction.
#[test]
fn the_guard_is_repaired_before_the_rest() {
    let many: Vec<String> = (0..5000).map(|n| format!("10.{}.{}.7", n / 256, n % 256)).collect();
    let policy = format!("{}[[allow]]\nports = [\"8081\"]\nfrom = {many:?}\n", policy());
    let host = host();
    let mut watch = Watch::start(&host, &policy);
    disturb(&host, &[("nft flush ruleset", "")]);
    wait_until_in_force(&host, &policy, "the repair");
    watch.logged("guard in force after ");
    // Nothing waits for the guard where it is in force.
    disturb(&host, &[("iptables -t nat -F DOCKER-BLOCK", "")]);
    wait_until_in_force(&host, &policy, "the second repair");
    watch.logged_times("repaired ", 2);
    assert_eq!(watch.log().matches("guard in force after ").count(), 1, "{}", watch.log());
    assert!(watch.is_running());
}
