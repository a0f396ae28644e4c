//! Other programs that write rules, by the names of their chains and tables, and what their rules mean
//! for published ports. docs/coexistence.md has a section for each of them.

mod bans;
mod firewalls;
mod forwards;
mod marks;
mod restores;

use super::super::facts::Facts;
use crate::report::{Area, Finding};

const AREA: Area = Area::Programs;

/// The findings about other programs. None of them says that there is no other program.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    if facts.kernel.failure.is_some() {
        return Vec::new();
    }
    let found = [
        firewalls::ufw(facts),
        firewalls::ufw_docker(facts),
        firewalls::firewalld(facts),
        firewalls::firewalld_strict(facts),
        bans::fail2ban(facts),
        bans::crowdsec(facts),
        forwards::podman(facts),
        forwards::kube_proxy(facts),
        forwards::tailscale(facts),
        forwards::lxd(facts),
        forwards::libvirt(facts),
        marks::conflict(facts),
        restores::nftables(facts),
        restores::netfilter_persistent(facts),
    ];
    let found: Vec<Finding> = found.into_iter().flatten().collect();
    match found.is_empty() {
        true => {
            vec![Finding::ok(AREA, "programs", "no other program that dwnl knows writes rules")]
        }
        false => found,
    }
}
