//! Firewalls of the host: ufw and firewalld. Their zones and rules are about the host's own services.

use dwnl::model::Family;

use super::super::super::facts::Facts;
use super::AREA;
use crate::report::{Finding, Level};

/// ufw filters in `INPUT`, and in `FORWARD` behind Docker's rules.
pub fn ufw(facts: &Facts) -> Option<Finding> {
    let check = (AREA, "ufw");
    let is_active = facts.kernel.chains.has_chain("ufw-");
    if !is_active {
        return facts.files.enables_ufw.then(|| {
            let summary = "ufw is enabled in ufw.conf, but its chains are missing";
            Finding::new(Level::Warning, check, summary, "ufw reload")
        });
    }
    let is_proxied = facts.processes.proxies > 0 && facts.kernel.chains.drops(Family::Ip6, "INPUT");
    let advice = match is_proxied {
        true => {
            "name sources in the policy, not in ufw; over IPv6 through docker-proxy, a port needs \
             `ufw allow` as well"
        }
        false => "name sources in the policy, not in ufw",
    };
    let summary =
        "ufw is active: its rules do not see published ports, which Docker forwards past them";
    Some(Finding::new(Level::Note, check, summary, advice))
}

/// Its chain in `DOCKER-USER` drops what `ufw route allow` does not allow.
pub fn ufw_docker(facts: &Facts) -> Option<Finding> {
    facts.kernel.chains.has_chain("ufw-docker-").then(|| {
        Finding::new(
            Level::Warning,
            (AREA, "ufw_docker"),
            "ufw-docker drops in DOCKER-USER what its own rules do not allow, also what the policy \
             allows",
            "ufw-docker uninstall, then ufw reload; dwnl takes its place",
        )
    })
}

/// firewalld accepts what was translated, so its zones do not filter published ports.
pub fn firewalld(facts: &Facts) -> Option<Finding> {
    let chains = &facts.kernel.chains;
    let is_here = chains.has_table("firewalld") || chains.has_chain("INPUT_ZONES");
    if !is_here {
        return None;
    }
    let check = (AREA, "firewalld");
    Some(match facts.own.watch {
        Some(_) => Finding::new(
            Level::Note,
            check,
            "firewalld is active: its zones do not filter published ports, and a reload removes \
             dwnl's rules, which the watch repairs",
            "name sources in the policy; prefer runtime changes to firewall-cmd --reload",
        ),
        None => Finding::new(
            Level::Warning,
            check,
            "firewalld is active: a reload removes the rules of iptables, Docker's and dwnl's, and \
             no watch is running to repair them",
            "systemctl enable --now dwnl",
        ),
    })
}

/// `StrictForwardPorts=yes` (from 2.3 on).
pub fn firewalld_strict(facts: &Facts) -> Option<Finding> {
    let is_here = facts.kernel.chains.has_table("firewalld");
    (is_here && facts.files.is_firewalld_strict).then(|| {
        Finding::new(
            Level::Warning,
            (AREA, "firewalld_strict"),
            "firewalld drops published ports that no zone opens (StrictForwardPorts=yes)",
            "set StrictForwardPorts=no, or open the ports in a zone as well",
        )
    })
}
