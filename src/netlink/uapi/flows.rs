//! Numbers of connection tracking and of sock_diag.

/// `IPCTNL_MSG_CT_*`, `CTA_*` (`linux/netfilter/nfnetlink_conntrack.h`).
pub mod conntrack {
    pub const MESSAGE_NEW: u16 = 0;
    pub const MESSAGE_GET: u16 = 1;
    pub const MESSAGE_DELETE: u16 = 2;

    pub const ORIGINAL: u16 = 1;
    pub const REPLY: u16 = 2;
    pub const STATUS: u16 = 3;
    pub const SOURCE_NAT: u16 = 6;
    pub const TIMEOUT: u16 = 7;
    pub const ID: u16 = 12;
    pub const DESTINATION_NAT: u16 = 13;
    pub const ZONE: u16 = 18;
    pub const STATUS_MASK: u16 = 26;
}

/// `CTA_TUPLE_*`.
pub mod tuple {
    pub const ADDRESSES: u16 = 1;
    pub const PROTOCOL: u16 = 2;
    pub const ZONE: u16 = 3;
}

/// `CTA_IP_*`.
pub mod tuple_addresses {
    pub const SOURCE_V4: u16 = 1;
    pub const DESTINATION_V4: u16 = 2;
    pub const SOURCE_V6: u16 = 3;
    pub const DESTINATION_V6: u16 = 4;
}

/// `CTA_PROTO_*`.
pub mod tuple_protocol {
    pub const NUMBER: u16 = 1;
    pub const SOURCE_PORT: u16 = 2;
    pub const DESTINATION_PORT: u16 = 3;
}

/// `CTA_NAT_*` and `CTA_PROTONAT_*`.
pub mod conntrack_nat {
    pub const ADDRESS_V4: u16 = 1;
    pub const PROTOCOL: u16 = 3;
    pub const ADDRESS_V6: u16 = 4;
    pub const PORT_FIRST: u16 = 1;
    pub const PORT_LAST: u16 = 2;
}

/// `SOCK_DIAG_BY_FAMILY` (`linux/sock_diag.h`) and `INET_DIAG_*` (`linux/inet_diag.h`).
pub mod sock_diag {
    pub const BY_FAMILY: u16 = 20;

    pub const V6_ONLY: u16 = 11;
    pub const LOCALS: u16 = 12;
    pub const CGROUP_ID: u16 = 21;

    /// `TCP_*` (`net/tcp_states.h`).
    pub mod state {
        pub const CLOSE: u8 = 7;
        pub const LISTEN: u8 = 10;
    }
}
