//! Programs that ban sources: fail2ban and CrowdSec. A ban at the hook `input` alone does not reach
//! published ports.

use dwnl::model::Hook;

use super::super::super::facts::Facts;
use super::AREA;
use crate::report::{Finding, Level};

/// Chains of iptables that packets to published ports pass.
const FORWARDING: [&str; 3] = ["DOCKER-USER", "FORWARD", "PREROUTING"];

/// Where bans take effect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Nowhere,
    Host,
    Published,
}

/// The reach of a program, by the chains that lead to its own, and by its base chains.
fn reach(facts: &Facts, prefix: &str, tables: &[&str]) -> Reach {
    let chains = &facts.kernel.chains;
    let iptables = chains.leading_to(prefix).map(|name| FORWARDING.contains(&name));
    let hooks = tables.iter().flat_map(|table| chains.hooks(table));
    let native = hooks.map(|hook| matches!(hook, Hook::Forward | Hook::Prerouting));
    let places: Vec<bool> = iptables.chain(native).collect();
    match &places[..] {
        [] => Reach::Nowhere,
        _ if places.contains(&true) => Reach::Published,
        _ => Reach::Host,
    }
}

/// `banaction = iptables-*` makes chains `f2b-JAIL`, `nftables-*` the table `f2b-table`.
pub fn fail2ban(facts: &Facts) -> Option<Finding> {
    match reach(facts, "f2b-", &["f2b-table"]) {
        Reach::Nowhere => None,
        Reach::Published => {
            let summary = "fail2ban: bans of some jails hold for published ports, too";
            Some(Finding::ok(AREA, "fail2ban", summary))
        }
        Reach::Host => Some(Finding::new(
            Level::Note,
            (AREA, "fail2ban"),
            "fail2ban bans at the hook input alone: banned sources still reach published ports",
            "for jails of published services: banaction = iptables-allports, chain = DOCKER-USER",
        )),
    }
}

/// In the mode nftables it has a chain for each of `nftables_hooks`, in the mode iptables a jump in each of
/// `iptables_chains`.
pub fn crowdsec(facts: &Facts) -> Option<Finding> {
    match reach(facts, "CROWDSEC", &["crowdsec", "crowdsec6"]) {
        Reach::Nowhere => None,
        Reach::Published => {
            let summary = "CrowdSec: its decisions hold for published ports, too";
            Some(Finding::ok(AREA, "crowdsec", summary))
        }
        Reach::Host => Some(Finding::new(
            Level::Warning,
            (AREA, "crowdsec"),
            "CrowdSec's bouncer is at the hook input alone: banned sources still reach published \
             ports",
            "in crowdsec-firewall-bouncer.yaml: `forward` in nftables_hooks, or DOCKER-USER in \
             iptables_chains",
        )),
    }
}
