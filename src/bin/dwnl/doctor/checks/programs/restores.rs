//! Services that replace the whole ruleset, or restore an old one.

use super::super::super::facts::Facts;
use super::AREA;
use crate::report::{Finding, Level};

/// A reload of nftables.service with `flush ruleset` removes the rules of all programs.
pub fn nftables(facts: &Facts) -> Option<Finding> {
    facts.files.flushes_ruleset.then(|| {
        let level = if facts.own.watch.is_some() { Level::Note } else { Level::Warning };
        Finding::new(
            level,
            (AREA, "nftables_service"),
            "nftables.service flushes the rules of all programs whenever it is reloaded",
            "let /etc/nftables.conf delete its own tables alone (docs/coexistence.md)",
        )
    })
}

/// Saved rules of Docker come back at boot, for containers that no longer exist.
pub fn netfilter_persistent(facts: &Facts) -> Option<Finding> {
    facts.files.restores_docker.then(|| {
        Finding::new(
            Level::Warning,
            (AREA, "netfilter_persistent"),
            "/etc/iptables/rules.v4 or rules.v6 holds rules of Docker, which come back at boot",
            "delete the lines with DOCKER from these files",
        )
    })
}
