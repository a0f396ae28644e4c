//! Bits of the connection mark that other programs use.

use super::super::super::facts::Facts;
use super::AREA;
use crate::report::{Finding, Level};

/// The programs, by what shows that they are there, and their bits. Calico and Cilium have no chains that
/// another check looks for.
const USERS: [(&str, &str, u32); 4] = [
    ("KUBE-SERVICES", "kube-proxy", 0xc000),
    ("ts-input", "Tailscale", 0x00ff_0000),
    ("cali-", "Calico", 0xffff_0000),
    ("CILIUM_", "Cilium", 0x0f00),
];

/// A program that uses the bit of `guard.mark`.
pub fn conflict(facts: &Facts) -> Option<Finding> {
    let policy = facts.policy()?;
    let mark = policy.guard().mark().bits();
    let users = USERS
        .iter()
        .filter(|(prefix, _, bits)| bits & mark != 0 && facts.kernel.chains.has_chain(prefix));
    let names: Vec<&str> = users.map(|(_, name, _)| *name).collect();
    (!names.is_empty()).then(|| {
        Finding::new(
            Level::Warning,
            (AREA, "mark"),
            format!(
                "the bit {mark:#x} of the connection mark is also used by {}",
                names.join(", ")
            ),
            "set `mark` in `[guard]` to another bit; the default, 0x2000, is free",
        )
    })
}
