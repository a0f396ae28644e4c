//! Whether iptables-legacy holds rules, in tables that nf_tables does not show.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::model::IpVersion;

/// `IPT_SO_GET_INFO` and `IP6T_SO_GET_INFO`.
const GET_INFO: libc::c_int = 64;

/// The table in which Docker translates.
const NAT: &str = "nat";

/// `struct ipt_getinfo` and `struct ip6t_getinfo`
/// (`linux/netfilter_ipv4/ip_tables.h`).
#[repr(C)]
#[derive(Default)]
struct Info {
    name: [u8; 32],
    valid_hooks: u32,
    hook_entry: [u32; 5],
    underflow: [u32; 5],
    entries: u32,
    size: u32,
}

/// Whether the legacy nat table of the calling thread's network namespace holds rules or chains other
/// than its initial policies.
///
/// # Errors
/// If the kernel cannot be asked.
pub(crate) fn legacy_nat_holds_rules(version: IpVersion) -> io::Result<bool> {
    let is_in_use = match tables_in_use(version) {
        Ok(names) => names.iter().any(|name| name == NAT),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => nat_may_be_there(version),
        Err(error) => return Err(error),
    };
    if is_in_use { holds_rules(version, NAT) } else { Ok(false) }
}

/// The legacy tables of the calling thread's network namespace that hold rules or chains other than
/// their initial policies. Only root can ask for them.
///
/// # Errors
/// If the kernel cannot be asked.
pub(crate) fn legacy_tables(version: IpVersion) -> io::Result<Vec<String>> {
    let mut tables = Vec::new();
    for name in tables_in_use(version)? {
        if holds_rules(version, &name)? {
            tables.push(name);
        }
    }
    Ok(tables)
}

fn holds_rules(version: IpVersion, table: &str) -> io::Result<bool> {
    let info = table_info(version, table)?;
    // A policy for each hook, and the entry that ends the table.
    Ok(info.entries > info.valid_hooks.count_ones() + 1)
}

/// The tables that were ever used. A request for one that was not creates it, so they are read first.
/// Only root can read them.
fn tables_in_use(version: IpVersion) -> io::Result<Vec<String>> {
    let list = match version {
        IpVersion::V6 => "/proc/thread-self/net/ip6_tables_names",
        IpVersion::V4 => "/proc/thread-self/net/ip_tables_names",
    };
    match fs::read_to_string(list) {
        Ok(names) => Ok(names.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Where iptables-legacy is a module, and systemd loads it on every host, the nat table is a module of
/// its own, loaded when the table is first used. Parts of the kernel itself are not listed.
fn nat_may_be_there(version: IpVersion) -> bool {
    let (tables, nat) = match version {
        IpVersion::V6 => ("/sys/module/ip6_tables", "/sys/module/ip6table_nat"),
        IpVersion::V4 => ("/sys/module/ip_tables", "/sys/module/iptable_nat"),
    };
    Path::new(nat).exists() || !Path::new(tables).exists()
}

fn table_info(version: IpVersion, table: &str) -> io::Result<Info> {
    let (domain, level) = match version {
        IpVersion::V6 => (AddressFamily::Inet6, libc::SOL_IPV6),
        IpVersion::V4 => (AddressFamily::Inet, libc::SOL_IP),
    };
    let socket = socket(domain, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let mut info = Info::default();
    // The last byte remains the NUL.
    let length = table.len().min(info.name.len() - 1);
    info.name[..length].copy_from_slice(&table.as_bytes()[..length]);
    let mut length = size_of::<Info>() as libc::socklen_t;
    // SAFETY: the kernel reads the name from the structure and fills all of it; its size is given.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            GET_INFO,
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    match Errno::result(result) {
        Ok(_) => Ok(info),
        // No such table, or no iptables-legacy, in this kernel.
        Err(Errno::ENOENT | Errno::ENOPROTOOPT | Errno::EINVAL) => Ok(Info::default()),
        Err(errno) => Err(errno.into()),
    }
}
