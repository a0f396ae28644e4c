//! Settings of the network namespace: forwarding, and what the kernel drops or lets in before any rule.

use dwnl::model::{Family, PublishedPort};

use super::super::facts::Facts;
use crate::report::{Area, Finding, Level, join_limited};

const AREA: Area = Area::Network;

/// The findings about the network namespace.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let found = [
        forwarding(facts),
        forwarding6(facts),
        bridges(facts),
        reverse_path(facts),
        localnet(facts),
        loose(facts),
    ];
    found.into_iter().flatten().collect()
}

/// Without forwarding no packet reaches a container, except through docker-proxy.
fn forwarding(facts: &Facts) -> Option<Finding> {
    let publishes = !facts.docker().published.is_empty();
    Some(match (facts.sysctls.forwards_ipv4?, publishes) {
        (true, _) => Finding::ok(AREA, "ip_forward", "IPv4 is forwarded"),
        (false, true) => Finding::new(
            Level::Warning,
            (AREA, "ip_forward"),
            "IPv4 is not forwarded, so published ports do not reach their containers",
            "sysctl -w net.ipv4.ip_forward=1, and look for what sets it to 0 in /etc/sysctl.d",
        ),
        (false, false) => Finding::new(
            Level::Note,
            (AREA, "ip_forward"),
            "IPv4 is not forwarded",
            "dockerd switches it on when it starts, and then drops other forwarded traffic",
        ),
    })
}

fn forwarding6(facts: &Facts) -> Option<Finding> {
    let is_native = |it: &PublishedPort| it.family == Family::Ip6;
    let is_translated = facts.docker().container_ports.keys().any(is_native);
    match facts.sysctls.forwards_ipv6? {
        false if is_translated => Some(Finding::new(
            Level::Warning,
            (AREA, "ip6_forward"),
            "IPv6 is not forwarded, but Docker publishes ports to IPv6 addresses of containers",
            "sysctl -w net.ipv6.conf.all.forwarding=1",
        )),
        _ => None,
    }
}

fn bridges(facts: &Facts) -> Option<Finding> {
    facts.sysctls.filters_bridges?.then(|| {
        let summary = "packets within a bridge pass the rules (bridge-nf-call-iptables)";
        Finding::ok(AREA, "bridge_netfilter", summary)
    })
}

/// Packets that a strict filter drops are seen and counted by no rule.
fn reverse_path(facts: &Facts) -> Option<Finding> {
    let uplinks = facts.uplinks(&facts.sysctls.strict_interfaces);
    (uplinks.len() > 1).then(|| {
        Finding::new(
            Level::Note,
            (AREA, "rp_filter"),
            format!(
                "rp_filter is strict on {}: a packet is dropped before any rule if its reply would \
                 leave by another interface",
                join_limited(&uplinks)
            ),
            "set net.ipv4.conf.all.rp_filter=2 if hosts reach this one by more than one path",
        )
    })
}

fn localnet(facts: &Facts) -> Option<Finding> {
    let uplinks = facts.uplinks(&facts.sysctls.localnet_interfaces);
    (!uplinks.is_empty()).then(|| {
        Finding::new(
            Level::Warning,
            (AREA, "route_localnet"),
            format!(
                "neighbours on {} can send packets to 127.0.0.0/8, where ports are published that \
                 are meant for the host alone",
                join_limited(&uplinks)
            ),
            "sysctl -w net.ipv4.conf.IF.route_localnet=0, for `all` and these interfaces",
        )
    })
}

fn loose(facts: &Facts) -> Option<Finding> {
    (!facts.sysctls.tcp_loose?).then(|| {
        Finding::new(
            Level::Note,
            (AREA, "tcp_loose"),
            "connections that conntrack does not know are invalid, and the guard drops them",
            "nf_conntrack_tcp_loose=1 lets allowed ones continue after conntrack was flushed",
        )
    })
}
