//! Port forwards of other programs in `PREROUTING`. With the guard they keep working, because dwnl
//! leaves out the RETURN rule while they exist. Without the guard dwnl warns that the RETURN rule
//! hides them.

use serde_json::Value;

use super::guard::{behind, is_answered, publish};
use super::support::{
    Answer, Namespace, Topology, UNGUARDED, UdpEcho, apply, dwnl, plan, remove, udp, udp_echo,
};
use super::{JUMPS, POLICY, rules};

/// The other program's container.
const CONTAINER: &str = "10.2.2.2";

/// The rules of another program in the nat table, which forward port 9000.
struct Program {
    /// The name in dwnl's report.
    via: &'static str,
    rules: &'static str,
}

const PROGRAMS: [Program; 5] = [
    Program {
        via: "REDIRECT",
        rules: "-A PREROUTING -p udp -m udp --dport 9000 -j REDIRECT --to-ports 9001\n",
    },
    Program {
        via: "DNAT",
        rules: "-A PREROUTING -d 192.0.2.1/32 -p udp -m udp --dport 9000 -j DNAT \
                --to-destination 10.2.2.2:80\n",
    },
    // podman, by its plug-in `portmap`.
    Program {
        via: "CNI-HOSTPORT-DNAT",
        rules: "\
:CNI-DN-0d2f6ad2a2a1bd5ccf63b - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-HOSTPORT-SETMARK - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A CNI-DN-0d2f6ad2a2a1bd5ccf63b -s 10.2.2.0/24 -p udp -m udp --dport 9000 -j CNI-HOSTPORT-SETMARK
-A CNI-DN-0d2f6ad2a2a1bd5ccf63b -p udp -m udp --dport 9000 -j DNAT --to-destination 10.2.2.2:80
-A CNI-HOSTPORT-DNAT -p udp -m comment --comment \"dnat name: podman\" -m multiport --dports 9000 -j CNI-DN-0d2f6ad2a2a1bd5ccf63b
-A CNI-HOSTPORT-SETMARK -m comment --comment \"CNI portfwd masquerade mark\" -j MARK --set-xmark 0x2000/0x2000
",
    },
    // kube-proxy: the translation is three jumps away.
    Program {
        via: "KUBE-SERVICES",
        rules: "\
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-EXT-NWV5X2332I4OT4T3 - [0:0]
:KUBE-SEP-ABCDEFGHIJKLMNOP - [0:0]
-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A KUBE-SERVICES -m comment --comment \"kubernetes service nodeports\" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p udp -m comment --comment \"default/web\" -m udp --dport 9000 -j KUBE-EXT-NWV5X2332I4OT4T3
-A KUBE-EXT-NWV5X2332I4OT4T3 -j KUBE-MARK-MASQ
-A KUBE-EXT-NWV5X2332I4OT4T3 -j KUBE-SEP-ABCDEFGHIJKLMNOP
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-SEP-ABCDEFGHIJKLMNOP -p udp -m statistic --mode random --probability 1.0 -m udp -j DNAT --to-destination 10.2.2.2:80
",
    },
    Program {
        via: "LXD",
        rules: "\
:LXD - [0:0]
-A PREROUTING -g LXD
-A LXD -d 192.0.2.1/32 -p udp -m udp --dport 9000 -m comment --comment \"generated for LXD container web\" -j DNAT --to-destination 10.2.2.2:80
",
    },
];

/// A host with a Docker container published as 8080, a container of another program, and a service
/// on the host's port 9001.
struct Site {
    topology: Topology,
    _docker: (Namespace, UdpEcho),
    _other: (Namespace, UdpEcho),
    _service: UdpEcho,
}

impl Site {
    fn new() -> Site {
        let topology = Topology::new();
        let host = &topology.host;
        let docker = behind(host, "docker7");
        publish(host, "docker7");
        let other = Namespace::new();
        let peer = ["peer", "name", "eth0", "netns", &other.path()];
        host.run(&[&["ip", "link", "add", "other0", "type", "veth"], &peer[..]].concat());
        host.run(&["ip", "address", "add", "10.2.2.1/24", "dev", "other0"]);
        host.run(&["ip", "link", "set", "other0", "up"]);
        other.run(&["ip", "address", "add", &format!("{CONTAINER}/24"), "dev", "eth0"]);
        other.run(&["ip", "link", "set", "eth0", "up"]);
        other.run(&["ip", "route", "add", "default", "via", "10.2.2.1"]);
        let echo = udp_echo(&other, 80);
        let service = udp_echo(host, 9001);
        Site { topology, _docker: docker, _other: (other, echo), _service: service }
    }

    fn host(&self) -> &Namespace {
        &self.topology.host
    }

    fn install(&self, program: &Program) {
        let text = format!("*nat\n{}COMMIT\n", program.rules);
        self.host().try_run(&["iptables-restore", "--noflush"], &text).succeeded();
    }

    /// Deletes the other program's rules from `PREROUTING`.
    fn uninstall(&self, program: &Program) {
        let host = self.host();
        let rules = program.rules.lines().filter(|line| line.starts_with("-A PREROUTING"));
        for rule in rules {
            let rule = rule.replace("-A ", "-D ");
            host.try_run(&["iptables-restore", "--noflush"], &format!("*nat\n{rule}\nCOMMIT\n"))
                .succeeded();
        }
    }

    fn forward_is_open(&self) {
        is_answered(&self.topology.client, Topology::HOST, 9000);
    }

    /// The answers to an allowed client and to a refused one.
    fn published(&self) -> [Answer; 2] {
        [Topology::ALLOWED, Topology::REFUSED]
            .map(|source| udp(&self.topology.client, source, Topology::HOST, 8080))
    }

    #[track_caller]
    fn only_allowed_clients_reach_docker(&self) {
        is_published(&self.topology);
        assert_eq!(self.published(), [Answer::Answered, Answer::TimedOut]);
    }
}

/// The changes in the nat tables that another apply would make. The guard also depends on cgroups,
/// which all namespaces share.
fn nat_changes(site: &Site, policy: &str) -> Vec<Value> {
    let planned = plan(site.host(), policy);
    let changes = planned["changes"].as_array().expect("changes").iter();
    changes.filter(|change| change["table"] == "nat").cloned().collect()
}

#[track_caller]
fn is_published(topology: &Topology) {
    let attempt = || udp(&topology.client, Topology::ALLOWED, Topology::HOST, 8080);
    super::support::wait_for("an answer", || (attempt() == Answer::Answered).then_some(()));
}

fn policy() -> String {
    POLICY.replace("tcp", "udp")
}

fn jumps(site: &Site) -> Vec<String> {
    rules(site.host(), "PREROUTING").into_iter().filter(|it| JUMPS.contains(&&**it)).collect()
}

/// The first foreign translation that a report lists for `ip nat`, and whether the RETURN rule
/// exists.
fn foreign_translation(report: &Value) -> Option<(&str, bool)> {
    let all = report["foreign_translations"].as_array()?;
    let ip = all.iter().find(|it| it["family"] == "ip" && it["table"] == "nat")?;
    Some((ip["via"][0].as_str()?, ip["has_return_rule"].as_bool()?))
}

/// Positive control: without dwnl both are open to everyone.
fn is_open(site: &Site) {
    site.forward_is_open();
    super::support::wait_for("an answer", || {
        (site.published() == [Answer::Answered; 2]).then_some(())
    });
}

#[test]
fn existing_forwards_keep_working() {
    for program in &PROGRAMS {
        let site = Site::new();
        site.install(program);
        is_open(&site);
        let planned = plan(site.host(), &policy());
        assert_eq!(foreign_translation(&planned), Some((program.via, false)), "{planned}");
        let applied = apply(site.host(), &policy());
        assert_eq!(foreign_translation(&applied), Some((program.via, false)), "{applied}");
        assert!(!applied["warnings"].to_string().contains(program.via), "{applied}");
        assert_eq!(jumps(&site), JUMPS[..1], "{}", program.via);
        site.forward_is_open();
        site.only_allowed_clients_reach_docker();
        assert_eq!(nat_changes(&site, &policy()), Vec::<Value>::new(), "{}", program.via);
        // IPv6 has no foreign translations.
        let ip6 = site.host().run(&["ip6tables", "-t", "nat", "-S", "PREROUTING"]);
        assert!(JUMPS.iter().all(|jump| ip6.contains(jump)), "{ip6}");
    }
}

#[test]
fn the_return_rule_is_left_out_while_forwards_exist() {
    for program in &PROGRAMS {
        let site = Site::new();
        assert_eq!(foreign_translation(&apply(site.host(), &policy())), None);
        assert_eq!(jumps(&site), JUMPS);

        site.install(program);
        let answer = udp(&site.topology.client, Topology::REFUSED, Topology::HOST, 9000);
        assert_ne!(answer, Answer::Answered, "the RETURN rule hides nothing: {}", program.via);
        let ops = nat_changes(&site, &policy());
        assert_eq!(ops.len(), 1, "{ops:?}");
        assert_eq!(ops[0]["op"], "delete_rule");
        apply(site.host(), &policy());
        site.forward_is_open();
        site.only_allowed_clients_reach_docker();

        site.uninstall(program);
        let ops = nat_changes(&site, &policy());
        assert_eq!(ops.len(), 1, "{ops:?}");
        assert_eq!(ops[0]["op"], "add_rule");
        let applied = apply(site.host(), &policy());
        assert_eq!(foreign_translation(&applied), None);
        assert_eq!(jumps(&site), JUMPS);
        assert_eq!(rules(site.host(), "PREROUTING")[..2], JUMPS);
    }
}

#[test]
fn without_the_guard_the_return_rule_is_kept_with_a_warning() {
    for program in &PROGRAMS {
        let site = Site::new();
        site.install(program);
        is_open(&site);
        let policy = format!("{}{UNGUARDED}", policy());
        let output = dwnl(site.host(), &["plan", "-f", "-"], &policy);
        assert!(output.stderr.contains(program.via), "{output}");
        let applied = apply(site.host(), &policy);
        assert_eq!(foreign_translation(&applied), Some((program.via, true)), "{applied}");
        let warnings = applied["warnings"].to_string();
        assert!(warnings.contains(program.via) && warnings.contains("ip nat"), "{warnings}");
        assert_eq!(jumps(&site), JUMPS);
        let answer = udp(&site.topology.client, Topology::REFUSED, Topology::HOST, 9000);
        assert_ne!(answer, Answer::Answered);

        // With the guard on, the forward works again.
        apply(site.host(), &super::translations::policy());
        site.forward_is_open();
    }
}

#[test]
fn removal_deletes_one_jump_or_both() {
    for installed_before in [true, false] {
        let site = Site::new();
        let program = &PROGRAMS[2];
        if installed_before {
            site.install(program);
        }
        apply(site.host(), &policy());
        if !installed_before {
            site.install(program);
        }
        let expected: &[&str] = if installed_before { &JUMPS[..1] } else { &JUMPS };
        assert_eq!(jumps(&site), expected);
        remove(site.host());
        assert_eq!(jumps(&site), [""; 0]);
        is_open(&site);
        assert_eq!(remove(site.host())["has_changes"], false);
    }
}

/// The packaged policy, which allows everyone.
const PACKAGED: &str = include_str!("../../packaging/policy.toml");

#[test]
fn the_packaged_policy_blocks_nothing() {
    for program in &PROGRAMS {
        let site = Site::new();
        site.install(program);
        is_open(&site);
        let applied = apply(site.host(), PACKAGED);
        assert_eq!(foreign_translation(&applied), Some((program.via, false)), "{applied}");
        is_open(&site);
        is_answered(&site.topology.client, Topology::HOST, 9001);
        assert_eq!(nat_changes(&site, PACKAGED), Vec::<Value>::new());
    }
}

/// Rules that translate nothing, and Docker's own rules, are not foreign translations.
#[test]
fn other_rules_do_not_affect_the_jumps() {
    let site = Site::new();
    let text = "*nat\n:SPECIAL - [0:0]\n:DOCKER-INGRESS - [0:0]\n\
        -A PREROUTING -i eth7 -j RETURN\n-A PREROUTING -m mark --mark 7 -j ACCEPT\n\
        -A PREROUTING -p tcp -m tcp --dport 9000 -j SPECIAL\n-A SPECIAL -j LOG\n\
        -A SPECIAL -j MARK --set-xmark 0x1/0x1\n-A SPECIAL -j DOCKER\n\
        -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS\n\
        -A DOCKER-INGRESS -p tcp -m tcp --dport 7000 -j DNAT --to-destination 172.18.0.2:70\n\
        -A POSTROUTING -s 10.2.2.0/24 -j MASQUERADE\nCOMMIT\n";
    site.host().try_run(&["iptables-restore", "--noflush"], text).succeeded();
    assert_eq!(foreign_translation(&apply(site.host(), &policy())), None);
    assert_eq!(jumps(&site), JUMPS);
}

/// Translations that nft wrote, including a verdict map.
#[test]
fn nft_translations_are_found_too() {
    for (rule, via) in [
        ("add rule ip nat PREROUTING udp dport 9000 redirect to :9001", "redir"),
        ("add rule ip nat PREROUTING udp dport 9000 dnat to 10.2.2.2:80", "nat"),
        ("add rule ip nat PREROUTING udp dport vmap { 9000 : jump elsewhere }", "lookup"),
    ] {
        let site = Site::new();
        let chain = "add chain ip nat elsewhere";
        site.host().run(&["nft", chain]);
        site.host().run(&["nft", "add rule ip nat elsewhere udp dport 9000 redirect to :9001"]);
        site.host().run(&["nft", rule]);
        site.forward_is_open();
        let applied = apply(site.host(), &policy());
        assert_eq!(foreign_translation(&applied), Some((via, false)), "{applied}");
        site.forward_is_open();
    }
}
