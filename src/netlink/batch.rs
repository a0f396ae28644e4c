//! One transaction: every message between BEGIN and END in one vector, for one system call. The
//! crate's own batch is sent page by page, and the kernel commits only the last page.

use std::ffi::{c_char, c_void};

use nftnl::nftnl_sys as sys;
use nftnl::{MsgType, NlMsg, ProtoFamily};

use super::attribute::{self, put, put_nested, put_string};
use super::c_string::to_c_string;
use super::finalized_batch::{BEGIN_SEQUENCE, FinalizedBatch, Sent};
use super::grant::put_grant;
use super::port_map::{put_map, put_target};
use super::request::put_headers;
use super::rule::{Counter, add_expressions, add_trace_expressions};
use super::set::{
    elements_size, put_element_list, put_elements, put_interval, put_set, put_set_path,
};
use super::uapi::{chain, compat, hook, rule, table};
use super::{nfproto, userdata};
use crate::model::{
    BaseChain, ChainPath, Family, Grant, Interval, NftRule, PortTarget, Position, Protocol, Rule,
    SetKind, SetPath, TablePath, TraceFilter,
};

const CREATE: u16 = libc::NLM_F_CREATE as u16;
const EXCLUSIVE: u16 = libc::NLM_F_EXCL as u16;
const APPEND: u16 = libc::NLM_F_APPEND as u16;
/// The message and its flags that add elements to a set or a map, and those that delete them.
const ADD_ELEMENTS: (i32, u16) = (libc::NFT_MSG_NEWSETELEM, CREATE);
const DELETE_ELEMENTS: (i32, u16) = (libc::NFT_MSG_DELSETELEM, 0);
/// `NFT_TABLE_F_OWNER`: only the socket that created the table can change it, and the kernel deletes
/// it when the socket is closed.
const TABLE_OWNER: u32 = 2;
/// `NLM_F_NONREC`: reject the deletion of a chain that holds rules.
const NOT_RECURSIVE: u16 = 0x100;

/// A batch under construction.
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Where libnftnl writes one message: aligned for its header, and large enough for the
    /// largest that it can write.
    scratch: Box<[u64]>,
    messages: Vec<Sent>,
    /// The change whose messages are being written.
    change: Option<usize>,
}

impl Batch {
    /// Begins a batch that the kernel rejects (ERESTART) unless the ruleset is still at this
    /// generation; 0: at any.
    pub fn new(generation: u32) -> Batch {
        let words = (nftnl::nft_nlmsg_maxsize() as usize).div_ceil(size_of::<u64>());
        let mut batch = Batch {
            bytes: Vec::new(),
            scratch: vec![0; words].into_boxed_slice(),
            messages: Vec::new(),
            change: None,
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

    /// Makes room for the elements of sets at once: with a million, what a vector reserves as it grows
    /// matters.
    pub fn reserve_elements(&mut self, elements: impl Iterator<Item = (SetKind, usize)>) {
        let size = elements.map(|(kind, number)| elements_size(kind, number)).sum();
        self.bytes.reserve_exact(size);
    }

    /// Assigns the following messages to the change with this index.
    pub fn begin_change(&mut self, index: usize) {
        self.change = Some(index);
    }

    /// `iptables -t TABLE -N …` on a host without the table: creates it.
    pub fn add_table(&mut self, path: &TablePath) {
        self.push(&nft_table(path), MsgType::Add, CREATE);
        self.append(|bytes| put(bytes, table::USERDATA, userdata::TAG));
    }

    /// `nft create table inet probe { flags owner; }`
    pub fn add_owned_table(&mut self, path: &TablePath) {
        self.push_own(libc::NFT_MSG_NEWTABLE, path.family, CREATE | EXCLUSIVE);
        self.append(|bytes| {
            put_string(bytes, table::NAME, &path.table);
            put(bytes, table::FLAGS, &TABLE_OWNER.to_be_bytes());
        });
    }

    /// `nft delete table ip nat`
    pub fn delete_table(&mut self, path: &TablePath) {
        self.push(&nft_table(path), MsgType::Del, 0);
    }

    /// `iptables -t TABLE -N CHAIN`, or for a base chain what iptables sends before its first
    /// rule.
    pub fn add_chain(&mut self, path: &ChainPath, base: Option<BaseChain<'static>>) {
        let table = nft_table(&path.table);
        let chain = nftnl::Chain::new(to_c_string(&path.chain), &table);
        let flags = if base.is_some() { CREATE } else { EXCLUSIVE };
        self.push(&chain, MsgType::Add, flags);
        self.append(|bytes| {
            if let Some(base) = base {
                put_base(bytes, base);
            }
            put(bytes, chain::USERDATA, userdata::TAG);
        });
    }

    /// `iptables -t TABLE -X CHAIN`
    pub fn delete_chain(&mut self, path: &ChainPath) {
        let table = nft_table(&path.table);
        let chain = nftnl::Chain::new(to_c_string(&path.chain), &table);
        self.push(&chain, MsgType::Del, NOT_RECURSIVE);
    }

    /// `iptables -t TABLE -A CHAIN RULE`, or `-I CHAIN POSITION RULE` by the handle of the rule at
    /// that position.
    pub fn add_rule(&mut self, path: &ChainPath, place: Position, rule: &Rule) {
        self.put_rule(path, place, rule, Counter::default());
    }

    /// `iptables -t TABLE -A CHAIN -c PACKETS BYTES RULE`
    pub fn restore_rule(&mut self, path: &ChainPath, rule: &Rule, counter: Counter) {
        self.put_rule(path, Position::Append, rule, counter);
    }

    fn put_rule(&mut self, path: &ChainPath, place: Position, rule: &Rule, counter: Counter) {
        let table = nft_table(&path.table);
        let chain = nftnl::Chain::new(to_c_string(&path.chain), &table);
        let mut nft = nftnl::Rule::new(&chain);
        let flags = match place {
            Position::Append => CREATE | APPEND,
            Position::Before(handle) => {
                nft.set_position(handle);
                CREATE
            }
        };
        add_expressions(&mut nft, rule, counter);
        self.push(&nft, MsgType::Add, flags);
        self.append(|bytes| match rule {
            Rule::Iptables(rule) => put_compat(bytes, rule.protocol),
            Rule::Nft(NftRule { comment: Some(text), .. }) => {
                put(bytes, rule::USERDATA, &userdata::encode_comment(text));
            }
            Rule::Nft(NftRule { comment: None, .. }) => {}
        });
    }

    /// `nft add rule TABLE CHAIN ip saddr 192.0.2.9 tcp dport 443 counter
    /// limit rate 20/second burst 20 packets meta nftrace set 1`
    pub fn add_trace_rule(&mut self, path: &ChainPath, filter: &TraceFilter) {
        let table = nft_table(&path.table);
        let chain = nftnl::Chain::new(to_c_string(&path.chain), &table);
        let mut nft = nftnl::Rule::new(&chain);
        add_trace_expressions(&mut nft, filter);
        self.push(&nft, MsgType::Add, CREATE | APPEND);
    }

    /// `iptables -t TABLE -D CHAIN …`, by handle.
    pub fn delete_rule(&mut self, path: &ChainPath, handle: u64) {
        let table = nft_table(&path.table);
        let chain = nftnl::Chain::new(to_c_string(&path.chain), &table);
        let mut nft = nftnl::Rule::new(&chain);
        nft.set_handle(handle);
        self.push(&nft, MsgType::Del, 0);
    }

    /// `iptables -t TABLE -F CHAIN`
    pub fn flush_chain(&mut self, path: &ChainPath) {
        let table = nft_table(&path.table);
        let chain = nftnl::Chain::new(to_c_string(&path.chain), &table);
        self.push(&nftnl::Rule::new(&chain), MsgType::Del, 0);
    }

    /// `nft add set …`
    pub fn add_set(&mut self, set: &SetPath, kind: SetKind) {
        let id = self.messages.len() as u32;
        self.push_own(libc::NFT_MSG_NEWSET, set.table.family, CREATE);
        self.append(|bytes| put_set(bytes, set, kind, id));
    }

    /// `nft delete set …`
    pub fn delete_set(&mut self, set: &SetPath) {
        self.push_own(libc::NFT_MSG_DELSET, set.table.family, 0);
        self.append(|bytes| put_set_path(bytes, set));
    }

    /// `nft add element … { … }`
    pub fn add_elements(&mut self, set: &SetPath, kind: SetKind, elements: &[Interval]) {
        self.elements(ADD_ELEMENTS, set, elements, |bytes, it| put_interval(bytes, kind, *it));
    }

    /// `nft delete element … { … }`
    pub fn delete_elements(&mut self, set: &SetPath, kind: SetKind, elements: &[Interval]) {
        self.elements(DELETE_ELEMENTS, set, elements, |bytes, it| put_interval(bytes, kind, *it));
    }

    /// As many messages as the elements need, with this type and these flags.
    fn elements<E>(
        &mut self,
        (message, flags): (i32, u16),
        set: &SetPath,
        elements: &[E],
        put: impl Fn(&mut Vec<u8>, &E),
    ) {
        let mut rest = elements;
        while !rest.is_empty() {
            self.push_own(message, set.table.family, flags);
            self.append(|bytes| rest = put_elements(bytes, set, rest, &put));
        }
    }

    /// `nft add map …`
    pub fn add_map(&mut self, map: &SetPath) {
        let id = self.messages.len() as u32;
        self.push_own(libc::NFT_MSG_NEWSET, map.table.family, CREATE);
        self.append(|bytes| put_map(bytes, map, id));
    }

    /// `nft add element … { 8000-8100 : goto CHAIN }`
    pub fn add_targets(&mut self, map: &SetPath, elements: &[PortTarget]) {
        self.elements(ADD_ELEMENTS, map, elements, put_target);
    }

    /// `nft delete element … { 8000-8100 }`
    pub fn delete_targets(&mut self, map: &SetPath, elements: &[PortTarget]) {
        self.elements(DELETE_ELEMENTS, map, elements, put_target);
    }

    /// `nft create element … { 192.0.2.7 timeout 1h comment "NOTE" }`, or `nft add element …`, which
    /// leaves elements as they are that exist. All are of the set's kind.
    pub fn add_grants(&mut self, set: &SetPath, grants: &[Grant], is_exclusive: bool) {
        let (message, flags) = ADD_ELEMENTS;
        let flags = if is_exclusive { flags | EXCLUSIVE } else { flags };
        self.elements((message, flags), set, grants, put_grant);
    }

    /// `nft delete element … { 192.0.2.7 }`
    pub fn delete_grants(&mut self, set: &SetPath, grants: &[Grant]) {
        self.elements(DELETE_ELEMENTS, set, grants, put_grant);
    }

    /// `nft flush set …`
    pub fn flush_set(&mut self, set: &SetPath) {
        self.push_own(libc::NFT_MSG_DELSETELEM, set.table.family, 0);
        self.append(|bytes| put_element_list(bytes, set));
    }

    /// Ends the batch.
    pub fn finalize(mut self) -> FinalizedBatch {
        self.change = None;
        // SAFETY: libnftnl writes a header of 20 bytes.
        self.frame(|buffer, sequence| unsafe {
            sys::nftnl_batch_end(buffer.cast::<c_char>(), sequence);
        });
        self.unended()
    }

    /// Leaves out the end: the kernel checks each message and then rolls all of them back.
    pub fn unended(self) -> FinalizedBatch {
        FinalizedBatch { bytes: self.bytes, messages: self.messages }
    }

    fn push(&mut self, message: &impl NlMsg, kind: MsgType, flags: u16) {
        // SAFETY: the buffer is as large as the largest message of libnftnl, and `to_c_string`
        // and `capped` keep names and rules to about what the kernel takes, which is less.
        self.frame(|buffer, sequence| unsafe { message.write(buffer, sequence, kind) });
        // The crate requests an acknowledgement of each message, and can only append. Neither is
        // needed here: the kernel reports errors without a request.
        let flags = libc::NLM_F_REQUEST as u16 | flags;
        let start = self.last_start();
        self.bytes[start + 6..start + 8].copy_from_slice(&flags.to_ne_bytes());
    }

    /// Appends the header of a message that libnftnl does not write.
    fn push_own(&mut self, message: i32, family: Family, flags: u16) {
        let sequence = self.begin_message();
        put_headers(&mut self.bytes, message, nfproto::number(family), flags, sequence);
    }

    /// Appends the message that `write` puts into the buffer under the next sequence number.
    fn frame(&mut self, write: impl FnOnce(*mut c_void, u32)) {
        let sequence = self.begin_message();
        write(self.scratch.as_mut_ptr().cast(), sequence);
        // SAFETY: `scratch` is initialised memory, and every bit pattern is a valid `u8`.
        let written = unsafe {
            let size = size_of_val(&*self.scratch);
            std::slice::from_raw_parts(self.scratch.as_ptr().cast::<u8>(), size)
        };
        let length = u32::from_ne_bytes([written[0], written[1], written[2], written[3]]) as usize;
        self.bytes.extend_from_slice(&written[..attribute::align(length)]);
    }

    /// Records where the next message begins and returns its sequence number.
    fn begin_message(&mut self) -> u32 {
        self.messages.push(Sent { start: self.bytes.len(), change: self.change });
        BEGIN_SEQUENCE + (self.messages.len() - 1) as u32
    }

    fn last_start(&self) -> usize {
        self.messages.last().map_or(0, |message| message.start)
    }

    /// Appends attributes to the last message.
    fn append(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        fill(&mut self.bytes);
        let start = self.last_start();
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }
}

fn nft_family(family: Family) -> ProtoFamily {
    match family {
        Family::Ip => ProtoFamily::Ipv4,
        Family::Ip6 => ProtoFamily::Ipv6,
        Family::Inet => ProtoFamily::Inet,
    }
}

fn nft_table(path: &TablePath) -> nftnl::Table {
    nftnl::Table::new(to_c_string(&path.table), nft_family(path.family))
}

/// Appends where a base chain is attached, as iptables creates its own: with the policy ACCEPT.
fn put_base(bytes: &mut Vec<u8>, base: BaseChain<'static>) {
    put_nested(bytes, chain::HOOK, |bytes| {
        put(bytes, hook::NUMBER, &base.hook.number().to_be_bytes());
        put(bytes, hook::PRIORITY, &base.priority.to_be_bytes());
    });
    put(bytes, chain::POLICY, &(libc::NF_ACCEPT as u32).to_be_bytes());
    put_string(bytes, chain::TYPE, base.chain_type);
}

/// Appends what the kernel needs to know for the xt matches of a protocol: it refuses them unless
/// the protocol is named here. iptables always sends both attributes.
fn put_compat(bytes: &mut Vec<u8>, protocol: Option<Protocol>) {
    let protocol = protocol.map_or(0, |protocol| u32::from(protocol.number()));
    put_nested(bytes, rule::COMPAT, |bytes| {
        put(bytes, compat::PROTOCOL, &protocol.to_be_bytes());
        put(bytes, compat::FLAGS, &0u32.to_be_bytes());
    });
}
