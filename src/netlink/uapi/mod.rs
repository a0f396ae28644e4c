//! Numbers of the kernel's headers that the crate `libc` does not have
//! (`linux/netfilter/nf_tables.h`, `linux/netfilter/nfnetlink.h`, `linux/netlink.h`).

mod expressions;
mod flows;
mod tracing;

pub use expressions::*;
pub use flows::*;
pub use tracing::*;

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
    pub const HANDLE: u16 = 4;
    pub const USERDATA: u16 = 6;
    pub const OWNER: u16 = 7;
}

/// `NFTA_CHAIN_*`.
pub mod chain {
    pub const TABLE: u16 = 1;
    pub const HANDLE: u16 = 2;
    pub const NAME: u16 = 3;
    pub const HOOK: u16 = 4;
    pub const POLICY: u16 = 5;
    pub const USE: u16 = 6;
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

/// `NFTA_SET_*`.
pub mod set {
    pub const TABLE: u16 = 1;
    pub const NAME: u16 = 2;
    pub const FLAGS: u16 = 3;
    pub const KEY_TYPE: u16 = 4;
    pub const KEY_LENGTH: u16 = 5;
    pub const DATA_TYPE: u16 = 6;
    pub const DESCRIPTION: u16 = 9;
    pub const ID: u16 = 10;
    pub const TIMEOUT: u16 = 11;
    pub const USERDATA: u16 = 13;
    pub const EXPRESSION: u16 = 17;
    pub const EXPRESSIONS: u16 = 18;
}

/// `NFTA_SET_DESC_*`.
pub mod set_description {
    pub const SIZE: u16 = 1;
    pub const CONCATENATION: u16 = 2;
}

/// `NFTA_SET_FIELD_*`.
pub mod set_field {
    pub const LENGTH: u16 = 1;
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
    pub const DATA: u16 = 2;
    pub const FLAGS: u16 = 3;
    pub const TIMEOUT: u16 = 4;
    pub const EXPIRATION: u16 = 5;
    pub const USERDATA: u16 = 6;
    pub const EXPRESSION: u16 = 7;
    pub const OBJECT: u16 = 9;
    pub const KEY_END: u16 = 10;
    pub const EXPRESSIONS: u16 = 11;
}

/// `NLMSGERR_ATTR_*`.
pub mod error {
    pub const OFFSET: u16 = 2;
}
