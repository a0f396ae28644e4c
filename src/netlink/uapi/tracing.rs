//! Numbers of traced packets (`linux/netfilter/nf_tables.h`).

/// `NFTA_TRACE_*`.
pub mod trace {
    pub const TABLE: u16 = 1;
    pub const CHAIN: u16 = 2;
    pub const RULE_HANDLE: u16 = 3;
    pub const TYPE: u16 = 4;
    pub const VERDICT: u16 = 5;
    pub const ID: u16 = 6;
    pub const NETWORK_HEADER: u16 = 8;
    pub const TRANSPORT_HEADER: u16 = 9;
    pub const IN_INTERFACE: u16 = 10;
    pub const OUT_INTERFACE: u16 = 12;
    pub const NFPROTO: u16 = 15;
    pub const POLICY: u16 = 16;
}

/// `NFT_TRACETYPE_*`.
pub mod trace_type {
    pub const POLICY: u32 = 1;
    pub const RETURN: u32 = 2;
    pub const RULE: u32 = 3;
}

/// Verdicts of netfilter that rules of dwnl's do not have (`linux/netfilter.h`), and the bits of a
/// verdict that are its number (`NF_VERDICT_MASK`).
pub mod nf_verdict {
    pub const STOLEN: i32 = 2;
    pub const QUEUE: i32 = 3;
    pub const MASK: i32 = 0xff;
}

/// `NFT_CONTINUE`.
pub const CONTINUE: i32 = -1;
