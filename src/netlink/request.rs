//! Requests that ask for something: the generation, and the dumps of tables, chains and rules.

use super::attribute::put;
use super::uapi::{MESSAGE_HEADER, rule};
use crate::ruleset::Family;

/// What can be dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dump<'a> {
    /// The tables of a family.
    Tables,
    /// The chains of a family.
    Chains,
    /// The rules of one table.
    Rules {
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

    /// A dump: answered by a message for each object, then by `NLMSG_DONE`.
    pub fn dump(what: Dump, family: Family, sequence: u32) -> Request {
        let message = match what {
            Dump::Tables => libc::NFT_MSG_GETTABLE,
            Dump::Chains => libc::NFT_MSG_GETCHAIN,
            Dump::Rules { .. } => libc::NFT_MSG_GETRULE,
        };
        let mut bytes = header(message, family_number(family), libc::NLM_F_DUMP, sequence);
        if let Dump::Rules { table } = what {
            put(&mut bytes, rule::TABLE, &[table.as_bytes(), &[0]].concat());
        }
        let length = (bytes.len() as u32).to_ne_bytes();
        bytes[..length.len()].copy_from_slice(&length);
        Request { bytes, sequence }
    }
}

fn family_number(family: Family) -> u8 {
    match family {
        Family::Ip => libc::NFPROTO_IPV4 as u8,
        Family::Ip6 => libc::NFPROTO_IPV6 as u8,
    }
}

/// `struct nlmsghdr` and `struct nfgenmsg`.
fn header(message: i32, family: u8, flags: i32, sequence: u32) -> Vec<u8> {
    let kind = (libc::NFNL_SUBSYS_NFTABLES << 8 | message) as u16;
    let flags = (libc::NLM_F_REQUEST | flags) as u16;
    let mut bytes = Vec::with_capacity(64);
    bytes.extend_from_slice(&(MESSAGE_HEADER as u32 + 4).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    bytes.extend_from_slice(&[family, libc::NFNETLINK_V0 as u8, 0, 0]);
    bytes
}
