//! Settings of the network namespace (`/proc/sys/net`).

use std::fs;
use std::path::Path;

/// Settings of a network namespace. `None`: it cannot be read, or this kernel does not have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sysctls {
    /// `net.ipv4.ip_forward`.
    pub forwards_ipv4: Option<bool>,
    /// `net.ipv6.conf.all.forwarding`.
    pub forwards_ipv6: Option<bool>,
    /// `net.bridge.bridge-nf-call-iptables`; `None` without the module `br_netfilter`.
    pub filters_bridges: Option<bool>,
    /// The interfaces whose effective `net.ipv4.conf.IF.rp_filter` is 1 (strict), sorted.
    pub strict_interfaces: Vec<String>,
    /// The interfaces whose effective `net.ipv4.conf.IF.route_localnet` is 1, sorted.
    pub localnet_interfaces: Vec<String>,
    /// `net.netfilter.nf_conntrack_tcp_loose`.
    pub tcp_loose: Option<bool>,
    /// The entries of conntrack.
    pub conntrack: Option<Conntrack>,
}

/// How full the table of conntrack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conntrack {
    /// `net.netfilter.nf_conntrack_count`: the entries of the namespace.
    pub count: u64,
    /// `net.netfilter.nf_conntrack_max`.
    pub limit: u64,
}

impl Sysctls {
    /// Reads the settings of the calling thread's network namespace below `/proc/sys/net`, or those in a
    /// directory of the same structure.
    pub fn read(root: &Path) -> Sysctls {
        let number = |path: &str| number(&root.join(path));
        let is_on = |path: &str| number(path).map(|value| value != 0);
        let conntrack = number("netfilter/nf_conntrack_count")
            .zip(number("netfilter/nf_conntrack_max"))
            .map(|(count, limit)| Conntrack { count, limit });
        Sysctls {
            forwards_ipv4: is_on("ipv4/ip_forward"),
            forwards_ipv6: is_on("ipv6/conf/all/forwarding"),
            filters_bridges: is_on("bridge/bridge-nf-call-iptables"),
            strict_interfaces: interfaces(root, "rp_filter"),
            localnet_interfaces: interfaces(root, "route_localnet"),
            tcp_loose: is_on("netfilter/nf_conntrack_tcp_loose"),
            conntrack,
        }
    }
}

/// The interfaces for which the larger of the setting and that of `all` is 1.
fn interfaces(root: &Path, setting: &str) -> Vec<String> {
    let directory = root.join("ipv4/conf");
    let value = |interface: &str| number(&directory.join(interface).join(setting)).unwrap_or(0);
    let all = value("all");
    let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<String> = names
        .filter(|name| !["all", "default", "lo"].contains(&name.as_str()))
        .filter(|name| value(name).max(all) == 1)
        .collect();
    found.sort();
    found
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_combined_with_those_of_all() {
        let root = tempfile::TempDir::new().expect("a directory");
        let write = |path: &str, value: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, value).expect("to write");
        };
        assert_eq!(Sysctls::read(root.path()), Sysctls::default());
        write("ipv4/ip_forward", "1\n");
        write("ipv6/conf/all/forwarding", "0\n");
        write("ipv4/conf/all/rp_filter", "1\n");
        for (interface, value) in [("lo", "1"), ("eth0", "0"), ("eth1", "2"), ("eth2", "1")] {
            write(&format!("ipv4/conf/{interface}/rp_filter"), value);
            write(&format!("ipv4/conf/{interface}/route_localnet"), "0");
        }
        write("ipv4/conf/docker0/route_localnet", "1");
        write("netfilter/nf_conntrack_count", "7\n");
        write("netfilter/nf_conntrack_max", "not a number\n");
        let expected = Sysctls {
            forwards_ipv4: Some(true),
            forwards_ipv6: Some(false),
            strict_interfaces: ["docker0", "eth0", "eth2"].map(String::from).into(),
            localnet_interfaces: vec!["docker0".to_owned()],
            ..Sysctls::default()
        };
        assert_eq!(Sysctls::read(root.path()), expected);
        write("netfilter/nf_conntrack_max", "100\n");
        let conntrack = Some(Conntrack { count: 7, limit: 100 });
        assert_eq!(Sysctls::read(root.path()), Sysctls { conntrack, ..expected });
    }
}
