//! The DNS servers of this host, from `/etc/resolv.conf`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

use nix::net::if_::if_nametoindex;
use resolv_conf::{Config, ScopedIp};

/// The file that names the servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The number of servers that are used, as by the C library (`MAXNS`).
const SERVERS_MAX: usize = 3;
const PORT: u16 = 53;

/// The servers that the file names now; one on this host if there is none, as by the C library.
pub(super) fn of_system() -> Vec<SocketAddr> {
    let text = fs::read(RESOLV_CONF).unwrap_or_default();
    let (config, _) = Config::parse_with_errors(&text);
    let mut servers: Vec<SocketAddr> =
        config.nameservers.into_iter().take(SERVERS_MAX).map(address).collect();
    if servers.is_empty() {
        servers.push((Ipv4Addr::LOCALHOST, PORT).into());
    }
    servers
}

fn address(server: ScopedIp) -> SocketAddr {
    match server {
        ScopedIp::V6(address, Some(scope)) => {
            let index = scope.parse().ok().or_else(|| if_nametoindex(scope.as_str()).ok());
            SocketAddrV6::new(address, PORT, 0, index.unwrap_or_default()).into()
        }
        other => (IpAddr::from(other), PORT).into(),
    }
}
