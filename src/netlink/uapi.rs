//! Numbers of the kernel's headers that the crate `libc` does not have
//! (`linux/netfilter/nf_tables.h`, `linux/netfilter/nfnetlink.h`, `linux/netlink.h`).

/// Length of `struct nlmsghdr`.
pub const MESSAGE_HEADER: usize = 16;
/// Length of `struct nfgenmsg`.
pub const FAMILY_HEADER: usize = 4;
/// `NLA_F_NESTED`: the attribute holds attributes.
pub const NESTED: u16 = 0x8000;
/// The bits of an attribute's type that are its number (`NLA_TYPE_MASK`).
pub const TYPE_MASK: u16 = 0x3fff;

/// `NFT_MSG_*` of flowtables.
pub mod message {
    pub const NEW_FLOWTABLE: i32 = 22;
    pub const GET_FLOWTABLE: i32 = 23;
    pub const DELETE_FLOWTABLE: i32 = 24;
}

/// `NFTA_GEN_*`.
pub mod generation {
    pub const ID: u16 = 1;
    pub const PROCESS_ID: u16 = 2;
    pub const PROCESS_NAME: u16 = 3;
}

/// `NFTA_TABLE_*`.
pub mod table {
    pub const NAME: u16 = 1;
    pub const FLAGS: u16 = 2;
    pub const USERDATA: u16 = 6;
    pub const OWNER: u16 = 7;
}

/// `NFTA_CHAIN_*`.
pub mod chain {
    pub const TABLE: u16 = 1;
    pub const NAME: u16 = 3;
    pub const HOOK: u16 = 4;
    pub const POLICY: u16 = 5;
    pub const TYPE: u16 = 7;
    pub const USERDATA: u16 = 12;
}

/// `NFTA_HOOK_*`.
pub mod hook {
    pub const NUMBER: u16 = 1;
    pub const PRIORITY: u16 = 2;
}

/// `NFTA_RULE_*`.
pub mod rule {
    pub const TABLE: u16 = 1;
    pub const CHAIN: u16 = 2;
    pub const HANDLE: u16 = 3;
    pub const EXPRESSIONS: u16 = 4;
    pub const COMPAT: u16 = 5;
    pub const USERDATA: u16 = 7;
}

/// `NFTA_RULE_COMPAT_*`.
pub mod compat {
    pub const PROTOCOL: u16 = 1;
    pub const FLAGS: u16 = 2;
}

/// `NFTA_LIST_ELEM`: an item of a list.
pub const LIST_ELEMENT: u16 = 1;

/// `NFTA_EXPR_*`.
pub mod expression {
    pub const NAME: u16 = 1;
    pub const DATA: u16 = 2;
}

/// `NFTA_META_*`.
pub mod meta {
    pub const DESTINATION: u16 = 1;
    pub const KEY: u16 = 2;
}

/// `NFTA_PAYLOAD_*`.
pub mod payload {
    pub const DESTINATION: u16 = 1;
    pub const BASE: u16 = 2;
    pub const OFFSET: u16 = 3;
    pub const LENGTH: u16 = 4;
}

/// `NFTA_BITWISE_*`.
pub mod bitwise {
    pub const SOURCE: u16 = 1;
    pub const DESTINATION: u16 = 2;
    pub const MASK: u16 = 4;
    pub const XOR: u16 = 5;
    pub const OPERATION: u16 = 6;
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

/// `NFTA_FIB_*`.
pub mod fib {
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
}

/// `NFTA_DYNSET_*`.
pub mod dynset {
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
    pub const DESTINATION: u16 = 1;
    pub const KEY: u16 = 2;
    pub const DIRECTION: u16 = 3;
    pub const SOURCE: u16 = 4;
}

/// `NFTA_SET_*`.
pub mod set {
    pub const TABLE: u16 = 1;
    pub const NAME: u16 = 2;
    pub const FLAGS: u16 = 3;
    pub const KEY_TYPE: u16 = 4;
    pub const KEY_LENGTH: u16 = 5;
    pub const DESCRIPTION: u16 = 9;
    pub const ID: u16 = 10;
    pub const TIMEOUT: u16 = 11;
    pub const EXPRESSION: u16 = 17;
    pub const EXPRESSIONS: u16 = 18;
}

/// `NFTA_SET_DESC_*`.
pub mod set_description {
    pub const SIZE: u16 = 1;
}

/// `NFTA_OBJ_*`.
pub mod object {
    pub const TABLE: u16 = 1;
    pub const NAME: u16 = 2;
}

/// `NFTA_FLOWTABLE_*`.
pub mod flowtable {
    pub const TABLE: u16 = 1;
    pub const NAME: u16 = 2;
}

/// `NFTA_SET_ELEM_LIST_*`.
pub mod element_list {
    pub const TABLE: u16 = 1;
    pub const SET: u16 = 2;
    pub const ELEMENTS: u16 = 3;
}

/// `NFTA_SET_ELEM_*`.
pub mod element {
    pub const KEY: u16 = 1;
    pub const FLAGS: u16 = 3;
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

/// `NLMSGERR_ATTR_*`.
pub mod error {
    pub const OFFSET: u16 = 2;
}

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

/// `CTA_NAT_*` and `CTA_PROTONAT_*`.
pub mod conntrack_nat {
    pub const ADDRESS_V4: u16 = 1;
    pub const PROTOCOL: u16 = 3;
    pub const ADDRESS_V6: u16 = 4;
    pub const PORT_FIRST: u16 = 1;
    pub const PORT_LAST: u16 = 2;
}
