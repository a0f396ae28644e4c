//! Names of numbers that iptables and nft share.

/// The name of a protocol, as both read it from `/etc/protocols` for the common ones.
pub fn protocol(number: u8) -> Option<&'static str> {
    Some(match number {
        1 => "icmp",
        2 => "igmp",
        6 => "tcp",
        17 => "udp",
        33 => "dccp",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        58 => "ipv6-icmp",
        108 => "comp",
        132 => "sctp",
        136 => "udplite",
        _ => return None,
    })
}

/// `RTN_*`, by its number.
pub const ADDRESS_TYPES: [&str; 12] = [
    "unspec",
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
    "throw",
    "nat",
    "xresolve",
];

/// Levels of the system log.
pub const LOG_LEVELS: [&str; 8] =
    ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];

/// Flags of TCP, by their bits.
pub const TCP_FLAGS: [&str; 8] = ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"];

/// The names of the bits that are set.
pub fn bits<'a>(bits: u32, names: impl IntoIterator<Item = (u32, &'a str)>) -> Vec<&'a str> {
    names.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| name).collect()
}
