//! Which tables of iptables-legacy hold rules. nf_tables does not show them.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::model::{IpVersion, Name};

/// The table in which Docker publishes ports.
const NAT: &str = "nat";

/// `IPT_SO_GET_INFO` and `IP6T_SO_GET_INFO`.
const GET_INFO: libc::c_int = 64;

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
    match tables_in_use(version)? {
        Some(tables) if tables.iter().all(|table| &**table != NAT) => Ok(false),
        // Only root can read the list; for other users it counts whether the table's module is loaded.
        None if !nat_may_be_there(version) => Ok(false),
        _ => holds_rules(version, NAT),
    }
}

/// The legacy tables of the calling thread's network namespace that hold rules or chains other than
/// their initial policies. None for a user who may not read the list of tables.
///
/// # Errors
/// If the kernel cannot be asked.
pub(crate) fn legacy_tables_with_rules(version: IpVersion) -> io::Result<Vec<Name>> {
    let mut found = Vec::new();
    for table in tables_in_use(version)?.unwrap_or_default() {
        if holds_rules(version, &table)? {
            found.push(table);
        }
    }
    Ok(found)
}

/// The tables in use; `None` if the user may not read the list. A request for a table that was never
/// used creates it, so the list is read first.
fn tables_in_use(version: IpVersion) -> io::Result<Option<Vec<Name>>> {
    let list = match version {
        IpVersion::V6 => "/proc/thread-self/net/ip6_tables_names",
        IpVersion::V4 => "/proc/thread-self/net/ip_tables_names",
    };
    match fs::read_to_string(list) {
        Ok(names) => Ok(Some(names.lines().map(Name::from).collect())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(Vec::new())),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
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

fn holds_rules(version: IpVersion, table: &str) -> io::Result<bool> {
    let info = table_info(version, table)?;
    // A policy for each hook, and the entry that ends the table.
    Ok(info.entries > info.valid_hooks.count_ones() + 1)
}

fn table_info(version: IpVersion, table: &str) -> io::Result<Info> {
    let (domain, level) = match version {
        IpVersion::V6 => (AddressFamily::Inet6, libc::SOL_IPV6),
        IpVersion::V4 => (AddressFamily::Inet, libc::SOL_IP),
    };
    let socket = socket(domain, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let mut info = Info::default();
    // The rest stays zero, so that the name ends with a NUL.
    let end = info.name.len() - 1;
    info.name[..end].iter_mut().zip(table.bytes()).for_each(|(to, byte)| *to = byte);
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
