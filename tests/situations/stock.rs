//! IPv4 with the guard on, on a stock host.

use super::situation::{Commands, ECHO, Site, Situation};
use super::support::{Answer, Namespace, tcp_echo, udp_echo};
use Answer::{Answered, Refused, TimedOut};

const ALLOWED: &str = "192.0.2.2 192.0.2.1 8080/tcp";
const OTHER: &str = "192.0.2.66 192.0.2.1 8080/tcp";

fn policy(keys: &str) -> String {
    format!("[[allow]]\nname = \"web\"\nports = [\"8080\", \"8080/udp\"]\n{keys}\n")
}

fn row(
    name: &'static str,
    keys: &str,
    commands: Commands,
    packet: &str,
    answer: Answer,
    why: &'static str,
) -> Situation {
    Situation::new(name, &policy(keys), commands, packet, answer, why)
}

const FROM: &str = "from = [\"192.0.2.2\"]";

#[test]
#[rustfmt::skip]
fn the_policy_decides() {
    let site = Site::new(&[]);
    site.docker.run("other", &["-p", "8081:80"], ECHO);
    site.docker.run("dns", &["-p", "8080:80/udp"], "exec sleep 1000");
    let _server = udp_echo(&site.docker.namespace("dns"), 80);
    let large: Vec<String> = (1..=200).filter(|n| *n != 66).map(|n| format!("192.0.2.{n}")).collect();
    let large = format!("from = {large:?}");
    let not_installed = Situation { policy: String::new(), ..row("nothing installed", "", &[], OTHER, Answered, "forwarded (not_installed)") };
    site.check(&[
        not_installed,
        row("allowed", FROM, &[], ALLOWED, Answered, "forwarded"),
        row("refused by source", FROM, &[], OTHER, TimedOut, "dropped: inet dwnl translated"),
        row("refused by port", FROM, &[], "192.0.2.2 192.0.2.1 8081/tcp", TimedOut, "dropped: inet dwnl translated"),
        row("refused by interface", "in-interface = \"eth1\"", &[], ALLOWED, TimedOut, "dropped: inet dwnl translated"),
        row("allowed by interface", "in-interface = \"eth1\"", &[], "198.51.100.2 198.51.100.1 8080/tcp", Answered, "forwarded"),
        row("allowed by wildcard", "in-interface = \"!eth1\"", &[], ALLOWED, Answered, "forwarded"),
        row("refused by destination", "to = [\"192.0.2.3\"]", &[], ALLOWED, TimedOut, "dropped: inet dwnl translated"),
        row("allowed by destination", "to = [\"192.0.2.3\"]", &[], "192.0.2.2 192.0.2.3 8080/tcp", Answered, "forwarded"),
        row("UDP, allowed", FROM, &[], "192.0.2.2 192.0.2.1 8080/udp", Answered, "forwarded"),
        row("UDP, refused", FROM, &[], "192.0.2.66 192.0.2.1 8080/udp", TimedOut, "dropped: inet dwnl translated"),
        row("IPv6 by docker-proxy, allowed", "from = [\"2001:db8::2\"]", &[], "2001:db8::2 2001:db8::1 8080/tcp", Answered, "process"),
        row("IPv6 by docker-proxy, refused", FROM, &[], "2001:db8::66 2001:db8::1 8080/tcp", TimedOut, "dropped: inet dwnl proxied"),
        row("a large group, allowed", &large, &[], ALLOWED, Answered, "forwarded"),
        row("a large group, refused", &large, &[], OTHER, TimedOut, "dropped: inet dwnl translated"),
    ]);
}

/// A namespace that the host forwards to, as podman's are.
fn pod(host: &Namespace) -> Namespace {
    let pod = Namespace::new();
    let path = pod.path();
    for command in [
        &format!("ip link add pod0 type veth peer name eth0 netns {path}"),
        "ip address add 10.99.0.1/24 dev pod0",
        "ip link set pod0 up",
    ] {
        host.run(&command.split(' ').collect::<Vec<_>>());
    }
    for command in [
        "ip address add 10.99.0.2/24 dev eth0",
        "ip link set eth0 up",
        "ip route add default via 10.99.0.1",
    ] {
        pod.run(&command.split(' ').collect::<Vec<_>>());
    }
    pod
}

#[test]
#[rustfmt::skip]
fn other_programs_decide() {
    let site = Site::new(&[]);
    let _service = tcp_echo(site.host(), 9000);
    let pod = pod(site.host());
    let _pod_service = tcp_echo(&pod, 80);
    let any = "";
    site.check(&[
        row("DOCKER-USER drops", any, &["iptables -I DOCKER-USER -s 192.0.2.2 -j DROP"], ALLOWED, TimedOut, "dropped: ip filter DOCKER-USER (other_program)"),
        row("DOCKER-USER rejects", any, &["iptables -I DOCKER-USER -i eth0 -p tcp -j REJECT --reject-with tcp-reset"], ALLOWED, Refused, "rejected: ip filter DOCKER-USER (other_program)"),
        row("DOCKER-USER drops others", any, &["iptables -I DOCKER-USER -i eth0 ! -s 192.0.2.66 -j DROP"], OTHER, Answered, "forwarded"),
        row("DOCKER-USER, by the port called", any, &["iptables -I DOCKER-USER -p tcp -m conntrack --ctorigdstport 8080 -j DROP"], ALLOWED, TimedOut, "dropped: ip filter DOCKER-USER (other_program)"),
        row("raw drops", any, &["iptables -t raw -A PREROUTING -s 192.0.2.0/24 -j DROP"], ALLOWED, TimedOut, "dropped: ip raw PREROUTING (other_program)"),
        row("mangle drops", any, &["iptables -t mangle -A FORWARD -m multiport -p tcp --dports 22,80 -j DROP"], ALLOWED, TimedOut, "dropped: ip mangle FORWARD (other_program)"),
        row("a table at a later priority", any, &[
            "nft add table inet firewall",
            "nft add chain inet firewall forward { type filter hook forward priority 10 ; policy accept ; }",
            "nft add rule inet firewall forward ct state { established, related } accept",
            "nft add rule inet firewall forward iifname eth0 ip saddr { 192.0.2.2, 192.0.2.9 } drop",
        ], ALLOWED, TimedOut, "dropped: inet firewall forward (other_program)"),
        row("policy drop at a later priority", any, &[
            "nft add table inet firewall",
            "nft add chain inet firewall forward { type filter hook forward priority 10 ; policy drop ; }",
            "nft add rule inet firewall forward ct status dnat accept",
        ], ALLOWED, Answered, "forwarded"),
        row("ufw's INPUT does not see it", any, &["iptables -A INPUT -p tcp --dport 8080 -j DROP"], ALLOWED, Answered, "forwarded"),
        row("a service of the host", any, &[], "192.0.2.66 192.0.2.1 9000/tcp", Answered, "process (not_published)"),
        row("ufw's INPUT", any, &["iptables -A INPUT -i eth0 -p tcp -m tcp --dport 9000 -j DROP"], "192.0.2.66 192.0.2.1 9000/tcp", TimedOut, "dropped: ip filter INPUT"),
        row("what is not understood, but is alike", any, &["iptables -I DOCKER-USER -m statistic --mode random --probability 0.5 -j RETURN"], ALLOWED, Answered, "forwarded"),
        row("what is not understood", any, &["iptables -I DOCKER-USER -p tcp -m statistic --mode nth --every 1000000 --packet 999999 -j DROP"], ALLOWED, Answered, "unknown: ip filter DOCKER-USER"),
        row("podman's port forward", any, &[
            "iptables -t nat -I PREROUTING -p tcp -m tcp --dport 8443 -j DNAT --to-destination 10.99.0.2:80",
            "iptables -I FORWARD -s 10.99.0.2 -j ACCEPT",
            "iptables -I FORWARD -d 10.99.0.2 -j ACCEPT",
        ], "192.0.2.66 192.0.2.1 8443/tcp", Answered, "forwarded (not_published)"),
        row("a redirect", any, &["iptables -t nat -I PREROUTING -p tcp -m tcp --dport 9002 -j REDIRECT --to-ports 9000"], "192.0.2.66 192.0.2.1 9002/tcp", Answered, "process (not_published)"),
        row("no reverse path", any, &["sysctl -qw net.ipv4.conf.all.rp_filter=1"], "192.0.2.66 198.51.100.1 8080/tcp eth1", TimedOut, "martian"),
        row("nothing listens", any, &[], "192.0.2.66 192.0.2.1 9001/tcp", Refused, "nobody_listens"),
    ]);
}

#[test]
#[rustfmt::skip]
fn the_kernel_differs_from_the_policy() {
    let site = Site::new(&[]);
    site.check(&[
        row("an entry's rule is gone", FROM, &["nft flush chain inet dwnl allowed"], ALLOWED, TimedOut, "dropped: inet dwnl translated (drift)"),
        row("the guard's table is gone", FROM, &["nft delete table inet dwnl"], OTHER, Answered, "forwarded (drift)"),
        row("another source was added", FROM, &["nft add rule inet dwnl allowed ip saddr 192.0.2.66 accept"], OTHER, Answered, "forwarded (drift)"),
    ]);
}
