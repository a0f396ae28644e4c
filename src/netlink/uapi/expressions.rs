//! Numbers of the expressions of nf_tables (`linux/netfilter/nf_tables.h`).

/// The register that every expression of iptables works with (`NFT_REG_1`).
pub const REGISTER: u32 = 1;
/// The register of the verdict (`NFT_REG_VERDICT`).
pub const VERDICT_REGISTER: u32 = 0;

/// Verdicts as signed numbers (`linux/netfilter.h`, `linux/netfilter/nf_tables.h`).
pub mod verdict_code {
    pub const DROP: i32 = 0;
    pub const ACCEPT: i32 = 1;
    pub const QUEUE: i32 = 3;
    pub const JUMP: i32 = -3;
    pub const GOTO: i32 = -4;
    pub const CONTINUE: i32 = -1;
    pub const RETURN: i32 = -5;
}

/// `NFT_META_*`.
pub mod meta_key {
    pub const IIFNAME: u32 = 6;
    pub const OIFNAME: u32 = 7;
    pub const NFTRACE: u32 = 12;
    pub const NFPROTO: u32 = 15;
    pub const L4PROTO: u32 = 16;
    pub const IIFKIND: u32 = 26;
    pub const TIME_NS: u32 = 30;
}

/// `NFT_PAYLOAD_*_HEADER`.
pub mod payload_base {
    pub const NETWORK: u32 = 1;
    pub const TRANSPORT: u32 = 2;
}

/// Where the destination port is in the header of TCP, UDP and SCTP, and its length, in bytes.
pub mod destination_port {
    pub const OFFSET: u32 = 2;
    pub const LENGTH: u32 = 2;
}

/// `NFT_CMP_*`.
pub mod cmp_operation {
    pub const EQ: u32 = 0;
    pub const NEQ: u32 = 1;
    pub const LTE: u32 = 3;
    pub const GTE: u32 = 5;
}

/// `NFT_CT_*`.
pub mod ct_key {
    pub const STATE: u32 = 0;
    pub const DIRECTION: u32 = 1;
    pub const STATUS: u32 = 2;
    pub const MARK: u32 = 3;
    pub const LABELS: u32 = 13;
    pub const PROTO_DST: u32 = 12;
    pub const SRC_IP: u32 = 19;
    pub const DST_IP: u32 = 20;
    pub const SRC_IP6: u32 = 21;
    pub const DST_IP6: u32 = 22;
}

/// `NFT_SOCKET_*`.
pub mod socket_key {
    pub const TRANSPARENT: u32 = 0;
    pub const WILDCARD: u32 = 2;
    pub const CGROUPV2: u32 = 3;
}

/// `NFTA_EXPR_*`.
pub mod expression {
    pub const NAME: u16 = 1;
    pub const DATA: u16 = 2;
}

/// `NFTA_META_*`.
pub mod meta {
    pub const DESTINATION: u16 = 1;
    pub const KEY: u16 = 2;
    pub const SOURCE: u16 = 3;
}

/// `NFTA_PAYLOAD_*`.
pub mod payload {
    pub const DESTINATION: u16 = 1;
    pub const BASE: u16 = 2;
    pub const OFFSET: u16 = 3;
    pub const LENGTH: u16 = 4;
    pub const SOURCE: u16 = 5;
}

/// `NFTA_BITWISE_*`.
pub mod bitwise {
    pub const SOURCE: u16 = 1;
    pub const DESTINATION: u16 = 2;
    pub const LENGTH: u16 = 3;
    pub const MASK: u16 = 4;
    pub const XOR: u16 = 5;
    pub const OPERATION: u16 = 6;
    pub const DATA: u16 = 7;
}

/// `NFTA_BYTEORDER_*`.
pub mod byteorder {
    pub const SOURCE: u16 = 1;
    pub const DESTINATION: u16 = 2;
    pub const OPERATION: u16 = 3;
    pub const LENGTH: u16 = 4;
    pub const SIZE: u16 = 5;
    /// `NFT_BYTEORDER_HTON`.
    pub const HOST_TO_NETWORK: u32 = 1;
}

/// `NFTA_CMP_*`.
pub mod cmp {
    pub const SOURCE: u16 = 1;
    pub const OPERATION: u16 = 2;
    pub const DATA: u16 = 3;
}

/// `NFTA_RANGE_*`.
pub mod range {
    pub const SOURCE: u16 = 1;
    pub const OPERATION: u16 = 2;
    pub const FROM: u16 = 3;
    pub const TO: u16 = 4;
}

/// `NFTA_COUNTER_*`.
pub mod counter {
    pub const BYTES: u16 = 1;
    pub const PACKETS: u16 = 2;
}

/// `NFTA_IMMEDIATE_*`.
pub mod immediate {
    pub const DESTINATION: u16 = 1;
    pub const DATA: u16 = 2;
}

/// `NFTA_NAT_*`.
pub mod nat {
    /// `NFT_NAT_DNAT`.
    pub const DESTINATION_NAT: u32 = 1;

    pub const TYPE: u16 = 1;
    pub const FAMILY: u16 = 2;
    pub const REGISTER_ADDRESS_MIN: u16 = 3;
    pub const REGISTER_ADDRESS_MAX: u16 = 4;
    pub const REGISTER_PORT_MIN: u16 = 5;
    pub const REGISTER_PORT_MAX: u16 = 6;
    pub const FLAGS: u16 = 7;
}

/// `NFTA_MASQ_*`.
pub mod masquerade {
    pub const FLAGS: u16 = 1;
    pub const REGISTER_PORT_MIN: u16 = 2;
    pub const REGISTER_PORT_MAX: u16 = 3;
}

/// `NFTA_REDIR_*`.
pub mod redirect {
    pub const REGISTER_PORT_MIN: u16 = 1;
    pub const REGISTER_PORT_MAX: u16 = 2;
    pub const FLAGS: u16 = 3;
}

/// `NFTA_REJECT_*`.
pub mod reject {
    /// `NFT_REJECT_TCP_RST`.
    pub const TCP_RESET: u32 = 1;

    pub const TYPE: u16 = 1;
    pub const CODE: u16 = 2;
}

/// `NFTA_LOG_*`.
pub mod log {
    pub const GROUP: u16 = 1;
    pub const PREFIX: u16 = 2;
    pub const SNAPLEN: u16 = 3;
    pub const THRESHOLD: u16 = 4;
    pub const LEVEL: u16 = 5;
    pub const FLAGS: u16 = 6;

    /// `LOGLEVEL_INFO`.
    pub const INFO: u32 = 6;
}

/// `NFTA_LIMIT_*`.
pub mod limit {
    pub const RATE: u16 = 1;
    pub const UNIT: u16 = 2;
    pub const BURST: u16 = 3;
    pub const TYPE: u16 = 4;
    pub const FLAGS: u16 = 5;
}

/// `NFTA_CONNLIMIT_*`.
pub mod connlimit {
    pub const COUNT: u16 = 1;
    pub const FLAGS: u16 = 2;
}

/// `NFTA_FIB_*`.
pub mod fib {
    /// `NFT_FIB_RESULT_ADDRTYPE` and `NFTA_FIB_F_DADDR`.
    pub const RESULT_ADDRESS_TYPE: u32 = 3;
    pub const FLAG_DESTINATION: u32 = 2;

    pub const DESTINATION: u16 = 1;
    pub const RESULT: u16 = 2;
    pub const FLAGS: u16 = 3;
}

/// `NFTA_LOOKUP_*`.
pub mod lookup {
    pub const SET: u16 = 1;
    pub const SOURCE: u16 = 2;
    pub const DESTINATION: u16 = 3;
    pub const FLAGS: u16 = 5;
    /// `NFT_LOOKUP_F_INV`.
    pub const INVERTED: u32 = 1;
}

/// `NFTA_DYNSET_*`.
pub mod dynset {
    /// `NFT_DYNSET_OP_ADD`.
    pub const ADD: u32 = 0;
    /// `NFT_DYNSET_OP_UPDATE`.
    pub const UPDATE: u32 = 1;

    pub const SET: u16 = 1;
    pub const OPERATION: u16 = 3;
    pub const SOURCE: u16 = 4;
    pub const DATA: u16 = 5;
    pub const TIMEOUT: u16 = 6;
    pub const EXPRESSION: u16 = 7;
    pub const FLAGS: u16 = 9;
    pub const EXPRESSIONS: u16 = 10;
}

/// `NFTA_SOCKET_*`.
pub mod socket {
    pub const KEY: u16 = 1;
    pub const DESTINATION: u16 = 2;
    pub const LEVEL: u16 = 3;
}

/// `NFTA_CT_*`.
pub mod ct {
    /// `IP_CT_DIR_ORIGINAL`.
    pub const ORIGINAL: u8 = 0;

    pub const DESTINATION: u16 = 1;
    pub const KEY: u16 = 2;
    pub const DIRECTION: u16 = 3;
    pub const SOURCE: u16 = 4;
}

/// `NFTA_DATA_*`.
pub mod data {
    pub const VALUE: u16 = 1;
    pub const VERDICT: u16 = 2;
}

/// `NFTA_VERDICT_*`.
pub mod verdict {
    pub const CODE: u16 = 1;
    pub const CHAIN: u16 = 2;
}

/// `NFTA_MATCH_*` and `NFTA_TARGET_*`.
pub mod extension {
    pub const NAME: u16 = 1;
    pub const REVISION: u16 = 2;
    pub const INFO: u16 = 3;
}
