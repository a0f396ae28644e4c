//! The policy that is kept in force during the disturbances.

use std::net::Ipv4Addr;

/// A policy that allows this many addresses.
pub fn policy(size: usize) -> String {
    let addresses = (0..size as u32).map(|number| {
        let address = Ipv4Addr::from(0x0a00_0000 + number * 64);
        format!("\"{address}\"")
    });
    let list: Vec<String> = addresses.collect();
    format!(
        "[sources]\npeers = [{}]\n[[allow]]\nports = [\"443\"]\nfrom = [\"peers\"]\n",
        list.join(", ")
    )
}
