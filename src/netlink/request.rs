//! Requests for the generation, for a rule, and for dumps.

use super::attribute::{put, put_string};
use super::nfproto;
use super::uapi::{
    FAMILY_HEADER, MESSAGE_HEADER, element_list, flowtable, message, object, rule, set,
};
use crate::model::{ChainPath, Family};

/// What can be dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dump<'a> {
    /// The tables of a family.
    Tables,
    /// The chains of a family.
    Chains,
    /// The rules of one table, or of one of its chains.
    Rules {
        /// The table's name.
        table: &'a str,
        /// The chain's name.
        chain: Option<&'a str>,
    },
    /// The sets of one table.
    Sets {
        /// The table's name.
        table: &'a str,
    },
    /// The elements of one set.
    Elements {
        /// The table's name.
        table: &'a str,
        /// The set's name.
        set: &'a str,
    },
    /// The stateful objects of one table.
    Objects {
        /// The table's name.
        table: &'a str,
    },
    /// The flowtables of one table.
    Flowtables {
        /// The table's name.
        table: &'a str,
    },
}

/// A request, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The datagram.
    pub bytes: Vec<u8>,
    /// The number that its answers carry.
    pub sequence: u32,
}

impl Request {
    /// `NFT_MSG_GETGEN`: answered by one `NFT_MSG_NEWGEN`.
    pub fn generation(sequence: u32) -> Request {
        Request { bytes: header(libc::NFT_MSG_GETGEN, 0, 0, sequence), sequence }
    }

    /// `NFT_MSG_GETRULE` without a dump: answered by one `NFT_MSG_NEWRULE`, or by ENOENT.
    pub fn rule(path: &ChainPath, handle: u64, sequence: u32) -> Request {
        let family = nfproto::number(path.table.family);
        let mut bytes = header(libc::NFT_MSG_GETRULE, family, 0, sequence);
        put_string(&mut bytes, rule::TABLE, &path.table.table);
        put_string(&mut bytes, rule::CHAIN, &path.chain);
        put(&mut bytes, rule::HANDLE, &handle.to_be_bytes());
        set_length(&mut bytes, 0);
        Request { bytes, sequence }
    }

    /// A dump: answered by a message for each object, then by `NLMSG_DONE`.
    pub fn dump(what: Dump, family: Family, sequence: u32) -> Request {
        let message = match what {
            Dump::Tables => libc::NFT_MSG_GETTABLE,
            Dump::Chains => libc::NFT_MSG_GETCHAIN,
            Dump::Rules { .. } => libc::NFT_MSG_GETRULE,
            Dump::Sets { .. } => libc::NFT_MSG_GETSET,
            Dump::Elements { .. } => libc::NFT_MSG_GETSETELEM,
            Dump::Objects { .. } => libc::NFT_MSG_GETOBJ,
            Dump::Flowtables { .. } => message::GET_FLOWTABLE,
        };
        let mut bytes = header(message, nfproto::number(family), libc::NLM_F_DUMP, sequence);
        let mut put_name = |number, name| put_string(&mut bytes, number, name);
        match what {
            Dump::Tables | Dump::Chains => {}
            Dump::Rules { table, chain } => {
                put_name(rule::TABLE, table);
                if let Some(chain) = chain {
                    put_name(rule::CHAIN, chain);
                }
            }
            Dump::Sets { table } => put_name(set::TABLE, table),
            Dump::Elements { table, set } => {
                put_name(element_list::TABLE, table);
                put_name(element_list::SET, set);
            }
            Dump::Objects { table } => put_name(object::TABLE, table),
            Dump::Flowtables { table } => put_name(flowtable::TABLE, table),
        }
        set_length(&mut bytes, 0);
        Request { bytes, sequence }
    }
}

/// A message without attributes.
fn header(message: i32, family: u8, flags: i32, sequence: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    put_headers(&mut bytes, message, family, flags as u16, sequence);
    bytes
}

/// Appends `struct nlmsghdr`, of a message of nf_tables without attributes, and `struct nfgenmsg`.
pub fn put_headers(bytes: &mut Vec<u8>, message: i32, family: u8, flags: u16, sequence: u32) {
    let kind = (libc::NFNL_SUBSYS_NFTABLES << 8 | message) as u16;
    put_message(bytes, kind, &nfgenmsg(family), flags, sequence);
}

/// `struct nfgenmsg`.
pub fn nfgenmsg(family: u8) -> [u8; FAMILY_HEADER] {
    [family, libc::NFNETLINK_V0 as u8, 0, 0]
}

/// Appends `struct nlmsghdr` and the header of the subsystem behind it.
pub fn put_message(bytes: &mut Vec<u8>, kind: u16, header: &[u8], flags: u16, sequence: u32) {
    let length = (MESSAGE_HEADER + header.len()) as u32;
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&(libc::NLM_F_REQUEST as u16 | flags).to_ne_bytes());
    bytes.extend_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    bytes.extend_from_slice(header);
}

/// Sets the length of the last message, which begins at `start`.
pub fn set_length(bytes: &mut [u8], start: usize) {
    let length = ((bytes.len() - start) as u32).to_ne_bytes();
    bytes[start..start + length.len()].copy_from_slice(&length);
}
