//! One transaction: every message between BEGIN and END in one vector, for one system call. The
//! crate's own batch is sent page by page, of which the kernel takes only the last.

use std::ffi::{c_char, c_void};

use nftnl::nftnl_sys as sys;
use nftnl::{MsgType, NlMsg, ProtoFamily};

use super::attribute::{self, put, put_nested};
use super::encode::{add_expressions, c_string};
use super::uapi::{MESSAGE_HEADER, chain, compat, rule, table};
use crate::ruleset::{BaseChain, ChainPath, Family, Place, Rule, TablePath};

/// The sequence number of BEGIN. That of the n-th message (from 0) is n + 1 higher.
pub const BEGIN_SEQUENCE: u32 = 1;

/// What marks a table or chain that dwnl created, as an item of its user data: type 0xdd, which
/// neither nft nor iptables uses or prints, length, `dwnl` with its NUL.
pub const USERDATA_TAG: &[u8] = b"\xdd\x05dwnl\0";

const CREATE: u16 = libc::NLM_F_CREATE as u16;
const EXCLUSIVE: u16 = libc::NLM_F_EXCL as u16;
const APPEND: u16 = libc::NLM_F_APPEND as u16;
/// `NLM_F_NONREC`: refuse to delete a chain that holds rules.
const NOT_RECURSIVE: u16 = 0x100;

/// A batch under construction.
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Where libnftnl writes one message: aligned for its header, and large enough for the
    /// largest that it can write.
    scratch: Box<[u64]>,
    /// Where each message begins in `bytes`.
    starts: Vec<usize>,
}

impl Batch {
    /// Begins a batch that the kernel refuses (ERESTART) unless the ruleset is still at this
    /// generation.
    pub fn new(generation: u32) -> Batch {
        let words = (nftnl::nft_nlmsg_maxsize() as usize).div_ceil(size_of::<u64>());
        let mut batch = Batch {
            bytes: Vec::new(),
            scratch: vec![0; words].into_boxed_slice(),
            starts: Vec::new(),
        };
        // SAFETY: libnftnl writes a header of 20 bytes.
        batch.frame(|buffer, sequence| unsafe {
            sys::nftnl_batch_begin(buffer.cast::<c_char>(), sequence);
        });
        batch.append(|bytes| {
            put(bytes, libc::NFNL_BATCH_GENID as u16, &generation.to_be_bytes());
        });
        batch
    }

    /// `iptables -t TABLE -N …` on a host without the table: creates it.
    pub fn add_table(&mut self, path: &TablePath) {
        self.push(&nft_table(path), MsgType::Add, CREATE);
        self.append(|bytes| put(bytes, table::USERDATA, USERDATA_TAG));
    }

    /// `nft delete table ip nat`
    pub fn delete_table(&mut self, path: &TablePath) {
        self.push(&nft_table(path), MsgType::Del, 0);
    }

    /// `iptables -t TABLE -N CHAIN`, or for a base chain what iptables sends before its first
    /// rule.
    pub fn add_chain(&mut self, path: &ChainPath, base: Option<BaseChain<'static>>) {
        let table = nft_table(&path.table);
        let mut chain = nftnl::Chain::new(c_string(&path.chain), &table);
        let flags = match base {
            None => EXCLUSIVE,
            Some(base) => {
                hook_in(&mut chain, base);
                CREATE
            }
        };
        self.push(&chain, MsgType::Add, flags);
        self.append(|bytes| put(bytes, chain::USERDATA, USERDATA_TAG));
    }

    /// `iptables -t TABLE -X CHAIN`
    pub fn delete_chain(&mut self, path: &ChainPath) {
        let table = nft_table(&path.table);
        let chain = nftnl::Chain::new(c_string(&path.chain), &table);
        self.push(&chain, MsgType::Del, NOT_RECURSIVE);
    }

    /// `iptables -t TABLE -A CHAIN RULE`, or `-I CHAIN POSITION RULE` by the handle of the rule
    /// that stands there.
    pub fn add_rule(&mut self, path: &ChainPath, place: Place, rule: &Rule) {
        let table = nft_table(&path.table);
        let chain = nftnl::Chain::new(c_string(&path.chain), &table);
        let mut nft = nftnl::Rule::new(&chain);
        let flags = match place {
            Place::Last => CREATE | APPEND,
            Place::Before(handle) => {
                nft.set_position(handle);
                CREATE
            }
        };
        add_expressions(&mut nft, rule);
        self.push(&nft, MsgType::Add, flags);
        // The xt matches for a protocol are refused unless it is named here; iptables always
        // sends both.
        let protocol = rule.protocol.map_or(0, |protocol| u32::from(protocol.number()));
        self.append(|bytes| {
            put_nested(bytes, rule::COMPAT, |bytes| {
                put(bytes, compat::PROTOCOL, &protocol.to_be_bytes());
                put(bytes, compat::FLAGS, &0u32.to_be_bytes());
            });
        });
    }

    /// `iptables -t TABLE -D CHAIN …`, by handle.
    pub fn delete_rule(&mut self, path: &ChainPath, handle: u64) {
        let table = nft_table(&path.table);
        let chain = nftnl::Chain::new(c_string(&path.chain), &table);
        let mut nft = nftnl::Rule::new(&chain);
        nft.set_handle(handle);
        self.push(&nft, MsgType::Del, 0);
    }

    /// `iptables -t TABLE -F CHAIN`
    pub fn flush_chain(&mut self, path: &ChainPath) {
        let table = nft_table(&path.table);
        let chain = nftnl::Chain::new(c_string(&path.chain), &table);
        self.push(&nftnl::Rule::new(&chain), MsgType::Del, 0);
    }

    /// Ends the batch.
    pub fn finish(mut self) -> FinishedBatch {
        // SAFETY: libnftnl writes a header of 20 bytes.
        self.frame(|buffer, sequence| unsafe {
            sys::nftnl_batch_end(buffer.cast::<c_char>(), sequence);
        });
        FinishedBatch { bytes: self.bytes, starts: self.starts }
    }

    fn push(&mut self, message: &impl NlMsg, kind: MsgType, flags: u16) {
        // SAFETY: the buffer is as large as the largest message of libnftnl.
        self.frame(|buffer, sequence| unsafe { message.write(buffer, sequence, kind) });
        // The crate asks for an answer to each message and knows no other way to insert than to
        // append. Silence is consent; errors come without being asked for.
        let flags = libc::NLM_F_REQUEST as u16 | flags;
        let start = self.starts.last().copied().unwrap_or_default();
        self.bytes[start + 6..start + 8].copy_from_slice(&flags.to_ne_bytes());
    }

    /// Appends the message that `write` puts into the buffer under the next sequence number.
    fn frame(&mut self, write: impl FnOnce(*mut c_void, u32)) {
        let sequence = BEGIN_SEQUENCE + self.starts.len() as u32;
        write(self.scratch.as_mut_ptr().cast(), sequence);
        // SAFETY: `scratch` is initialised memory, and every bit pattern is a valid `u8`.
        let written = unsafe {
            let size = size_of_val(&*self.scratch);
            std::slice::from_raw_parts(self.scratch.as_ptr().cast::<u8>(), size)
        };
        let length = u32::from_ne_bytes([written[0], written[1], written[2], written[3]]) as usize;
        self.starts.push(self.bytes.len());
        self.bytes.extend_from_slice(&written[..attribute::align(length)]);
    }

    /// Appends attributes to the last message.
    fn append(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        fill(&mut self.bytes);
        let start = self.starts.last().copied().unwrap_or_default();
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }
}

/// A batch that is ready to be sent.
pub(crate) struct FinishedBatch {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl FinishedBatch {
    /// The datagram.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether an answer with this sequence number is for a message of this batch.
    pub fn has(&self, sequence: u32) -> bool {
        sequence
            .checked_sub(BEGIN_SEQUENCE)
            .is_some_and(|index| (index as usize) < self.starts.len())
    }

    /// The index of the change (from 0) whose message has this sequence number; `None` for BEGIN,
    /// END and numbers that are not of this batch.
    pub fn change_of(&self, sequence: u32) -> Option<usize> {
        let index = sequence.checked_sub(BEGIN_SEQUENCE + 1)? as usize;
        (index + 2 < self.starts.len()).then_some(index)
    }

    /// The message of this change, with its header.
    pub fn message(&self, change: usize) -> Option<&[u8]> {
        let start = *self.starts.get(change + 1)?;
        let end = self.starts.get(change + 2).copied().unwrap_or(self.bytes.len());
        self.bytes.get(start..end).filter(|message| message.len() > MESSAGE_HEADER)
    }
}

/// The family's number (`NFPROTO_*`).
fn nft_family(family: Family) -> ProtoFamily {
    match family {
        Family::Ip => ProtoFamily::Ipv4,
        Family::Ip6 => ProtoFamily::Ipv6,
    }
}

fn nft_table(path: &TablePath) -> nftnl::Table {
    nftnl::Table::new(c_string(&path.table), nft_family(path.family))
}

/// As iptables creates its base chains: with the policy ACCEPT.
fn hook_in(chain: &mut nftnl::Chain, base: BaseChain<'static>) {
    let hook = match base.hook {
        0 => nftnl::Hook::PreRouting,
        1 => nftnl::Hook::In,
        2 => nftnl::Hook::Forward,
        3 => nftnl::Hook::Out,
        _ => nftnl::Hook::PostRouting,
    };
    let chain_type = match base.chain_type {
        "nat" => nftnl::ChainType::Nat,
        "route" => nftnl::ChainType::Route,
        _ => nftnl::ChainType::Filter,
    };
    chain.set_hook(hook, base.priority);
    chain.set_policy(nftnl::Policy::Accept);
    chain.set_type(chain_type);
}
