//! Programs that forward packets themselves: container engines, virtual machines, overlay networks.
//! What they forward is not judged by dwnl.

use dwnl::model::Family;

use super::super::super::facts::Facts;
use super::AREA;
use crate::report::{Finding, Level};

/// With the guard off, dwnl's RETURN rule hides port forwards in `ip nat`, which `plan` warns of.
pub fn podman(facts: &Facts) -> Option<Finding> {
    let chains = &facts.kernel.chains;
    let is_here = chains.has_table("netavark")
        || chains.has_chain("NETAVARK-HOSTPORT-DNAT")
        || chains.has_chain("CNI-HOSTPORT-DNAT");
    is_here.then(|| {
        Finding::new(
            Level::Note,
            (AREA, "podman"),
            "podman publishes ports by rules of its own, which dwnl does not judge",
            "publish them on one address (podman run -p ADDRESS:PORT:PORT), or filter in FORWARD",
        )
    })
}

/// In the mode iptables it has chains in all of iptables' tables, in the mode nftables a table of its own.
pub fn kube_proxy(facts: &Facts) -> Option<Finding> {
    let chains = &facts.kernel.chains;
    let is_here = chains.has_table("kube-proxy") || chains.has_chain("KUBE-SERVICES");
    is_here.then(|| {
        Finding::new(
            Level::Note,
            (AREA, "kube_proxy"),
            "kube-proxy forwards NodePorts and external addresses, which dwnl does not judge",
            "use NetworkPolicy or loadBalancerSourceRanges for services of Kubernetes",
        )
    })
}

/// Other hosts of the tailnet come in by `tailscale0`, with addresses of 100.64.0.0/10.
pub fn tailscale(facts: &Facts) -> Option<Finding> {
    let is_here = facts.kernel.chains.has_chain("ts-input")
        || facts.kernel.host.links.contains_key("tailscale0");
    is_here.then(|| {
        Finding::new(
            Level::Note,
            (AREA, "tailscale"),
            "Tailscale: other hosts of the tailnet are outside for dwnl, and the policy decides",
            "an entry for them: from = [\"100.64.0.0/10\", \"fd7a:115c:a1e0::/48\"], in-interface = \
             \"tailscale0\"",
        )
    })
}

/// The finding about a program with guests behind a bridge. Docker's `policy drop` in `FORWARD` holds
/// for the bridges of all programs, unless a rule in `FORWARD` or `DOCKER-USER` accepts before it.
fn guests(facts: &Facts, check: &'static str, name: &str, bridge: &str) -> Finding {
    let chains = &facts.kernel.chains;
    let is_dropped = chains.drops(Family::Ip, "FORWARD") && !chains.mentions("DOCKER-USER", bridge);
    if !is_dropped {
        return Finding::ok(AREA, check, format!("{name}: dwnl does not judge its forwards"));
    }
    Finding::new(
        Level::Note,
        (AREA, check),
        format!(
            "{name}: dwnl does not judge its forwards, but Docker drops what its guests send and \
             receive (policy drop in FORWARD)"
        ),
        format!(
            "let guests through in DOCKER-USER: -i {bridge} -j ACCEPT, and -o {bridge} with ctstate \
             RELATED,ESTABLISHED"
        ),
    )
}

/// LXD and Incus have a table of their own. In their mode xtables only the rules' comments name them.
pub fn lxd(facts: &Facts) -> Option<Finding> {
    let table = |name: &str| facts.kernel.chains.has_table(name);
    let (name, bridge) = match (table("incus"), table("lxd")) {
        (true, _) => ("Incus", "incusbr0"),
        (_, true) => ("LXD", "lxdbr0"),
        _ => return None,
    };
    Some(guests(facts, "lxd", name, bridge))
}

/// libvirt's networks: chains `LIBVIRT_*` in `FORWARD`, which accept what its guests send, or from 10.4
/// on a table of its own.
pub fn libvirt(facts: &Facts) -> Option<Finding> {
    const CHECK: &str = "libvirt";
    if facts.kernel.chains.has_table("libvirt_network") {
        return Some(guests(facts, CHECK, CHECK, "virbr0"));
    }
    let is_here = facts.kernel.chains.has_chain("LIBVIRT_FWI");
    is_here.then(|| Finding::ok(AREA, CHECK, "libvirt: dwnl does not judge its forwards"))
}
