//! Sources by name, with real DNS servers: dnsmasq, nsd, and one that lies. Each test has namespaces of
//! its own, with an `/etc/resolv.conf` of its own. The tests need root, and `scripts/setup` to have run.

#![allow(clippy::panic, clippy::unwrap_used)]

mod commands;
mod lies;
mod packets;
mod servers;
mod site;
#[path = "../support/mod.rs"]
mod support;
mod watch;

/// Allows the addresses of a name to reach the published port, with these settings of the name.
fn policy(name: &str, settings: &str) -> String {
    format!(
        "[sources]\nhome = {{ dns = \"{name}\"{settings} }}\n\n\
         [[allow]]\nname = \"web\"\nports = [\"8080/tcp\"]\nfrom = [\"home\"]\n"
    )
}
