//! The engine with a scripted kernel that misbehaves.

mod host;
mod observe;

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use nix::poll::PollTimeout;

use super::*;
use crate::model::{AddressSpec, Location, Ports, Protocol};
use crate::netlink::{BEGIN_SEQUENCE, Messages, Transport};
use crate::plan::Change;
use crate::policy::{Allow, Group, Guard, Policy};
use crate::{compile, managed_objects};

/// How the kernel handles a batch.
#[derive(Clone, Copy)]
enum Reply {
    /// Commits it.
    Commit,
    /// Reports this errno for the message with this index (0 is BEGIN), with this offset if there is
    /// one, and changes nothing.
    Reject { message: u32, errno: i32, offset: Option<u32> },
    /// Answers nothing and changes nothing.
    Ignore,
}

/// What is wrong with the answers.
#[derive(Clone, Copy, PartialEq)]
enum Noise {
    None,
    /// Answers to other requests come before each answer.
    Stale,
    /// The first dump is marked as interrupted.
    Interrupted,
    /// The first dump is of another generation.
    Overtaken,
    /// A table that was listed does not exist any more when its rules are requested.
    Gone,
    /// The answers to a batch overflow the receive buffer.
    Overflow,
    /// The answers to a batch are all lost, this often.
    Lost(usize),
    /// Every answer is truncated.
    Short,
    /// Nothing is answered.
    Mute,
    /// Every request is answered with this errno.
    Errno(i32),
}

struct Kernel {
    generation: u32,
    replies: VecDeque<Reply>,
    noise: Noise,
    /// The name of the one table that it has in each family.
    table: &'static [u8],
    /// The dump that lists one object in that table.
    holds: Option<i32>,
    answers: VecDeque<io::Result<Vec<u8>>>,
    current: Vec<u8>,
    /// The types of the messages that were sent; of a batch, the type of the first.
    requests: Requests,
}

type Requests = Arc<Mutex<Vec<i32>>>;

/// How many requests were of this type.
fn count(requests: &Requests, kind: i32) -> usize {
    requests.lock().expect("the requests").iter().filter(|other| **other == kind).count()
}

const REQUEST_HEADER: usize = 16;

/// The other attributes of a set of intervals of IPv4 (`NFTA_SET_NAME`, `_FLAGS`, `_KEY_TYPE`,
/// `_KEY_LEN`).
const SET: [u8; 32] = [
    6, 0, 2, 0, b's', 0, 0, 0, 8, 0, 3, 0, 0, 0, 0, 4, 8, 0, 4, 0, 0, 0, 0, 7, 8, 0, 5, 0, 0, 0, 0,
    4,
];

fn message(kind: i32, flags: i32, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = ((REQUEST_HEADER + payload.len()) as u32).to_ne_bytes().to_vec();
    bytes.extend_from_slice(&(kind as u16).to_ne_bytes());
    bytes.extend_from_slice(&(flags as u16).to_ne_bytes());
    bytes.extend_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn nft(kind: i32) -> i32 {
    libc::NFNL_SUBSYS_NFTABLES << 8 | kind
}

/// `NLMSG_ERROR` with a capped echo and, if there is one, the offset (`NLMSGERR_ATTR_OFFS`, 2).
fn error(sequence: u32, errno: i32, offset: Option<u32>) -> Vec<u8> {
    let mut payload = (-errno).to_ne_bytes().to_vec();
    payload.resize(4 + REQUEST_HEADER, 0);
    let mut flags = libc::NLM_F_CAPPED;
    if let Some(offset) = offset {
        flags |= libc::NLM_F_ACK_TLVS;
        payload.extend_from_slice(&[8, 0, 2, 0]);
        payload.extend_from_slice(&offset.to_ne_bytes());
    }
    message(libc::NLMSG_ERROR, flags, sequence, &payload)
}

impl Kernel {
    fn new(generation: u32) -> Kernel {
        Kernel {
            generation,
            replies: VecDeque::new(),
            noise: Noise::None,
            table: b"other\0\0\0",
            holds: None,
            answers: VecDeque::new(),
            current: Vec::new(),
            requests: Arc::default(),
        }
    }

    fn generation_message(&self, sequence: u32) -> Vec<u8> {
        let [high, low] = (self.generation as u16).to_be_bytes();
        let mut payload = vec![0, 0, high, low, 8, 0, 1, 0];
        payload.extend_from_slice(&self.generation.to_be_bytes());
        message(nft(libc::NFT_MSG_NEWGEN), 0, sequence, &payload)
    }

    /// The table, or an object in it, and the end of the dump.
    fn dump(&mut self, kind: i32, sequence: u32) -> Vec<u8> {
        let noise = std::mem::replace(&mut self.noise, Noise::None);
        let flags = if noise == Noise::Interrupted { libc::NLM_F_DUMP_INTR } else { 0 };
        let generation = self.generation + u32::from(noise == Noise::Overtaken);
        if noise == Noise::Gone && kind == nft(libc::NFT_MSG_GETRULE) {
            return error(sequence, libc::ENOENT, None);
        }
        if !matches!(noise, Noise::Interrupted | Noise::Overtaken) {
            self.noise = noise;
        }
        let mut answer = Vec::new();
        if kind == nft(libc::NFT_MSG_GETTABLE) || Some(kind) == self.holds.map(nft) {
            let mut payload = vec![2, 0];
            payload.extend_from_slice(&(generation as u16).to_be_bytes());
            // The table's name is attribute 1 of every object.
            let table = if noise == Noise::Gone { b"nat\0\0\0\0\0" } else { self.table };
            payload.extend_from_slice(&[4 + table.len() as u8, 0, 1, 0]);
            payload.extend_from_slice(table);
            if kind == nft(libc::NFT_MSG_GETSET) {
                payload.extend_from_slice(&SET);
            }
            // The type of an answer is one less than that of its request.
            answer.extend(message(kind - 1, libc::NLM_F_MULTI, sequence, &payload));
        }
        answer.extend(message(libc::NLMSG_DONE, flags | libc::NLM_F_MULTI, sequence, &[0; 4]));
        answer
    }

    fn batch(&mut self) {
        match self.replies.pop_front().unwrap_or(Reply::Commit) {
            Reply::Commit => self.generation += 1,
            Reply::Ignore => {}
            Reply::Reject { message, errno, offset } => {
                if errno == libc::ERESTART {
                    self.generation += 1;
                }
                if let Noise::Lost(times) = self.noise {
                    let lost = || Err(io::Error::from_raw_os_error(libc::ENOBUFS));
                    return self.answers.extend(std::iter::repeat_with(lost).take(times));
                }
                if self.noise == Noise::Overflow {
                    self.answers.push_back(Err(io::Error::from_raw_os_error(libc::ENOBUFS)));
                }
                // The consequences may come before the cause.
                for later in (0..3).rev() {
                    let sequence = BEGIN_SEQUENCE + message + later;
                    self.answers.push_back(Ok(error(sequence, errno, offset)));
                }
            }
        }
    }
}

impl Transport for Kernel {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let first = Messages::new(datagram).next().expect("a message");
        if self.noise == Noise::Mute {
            return Ok(());
        }
        if let Noise::Errno(errno) = self.noise {
            self.answers.push_back(Ok(error(first.sequence, errno, None)));
            return Ok(());
        }
        if self.noise == Noise::Stale {
            self.answers.push_back(Ok(error(first.sequence ^ 0x100, libc::EPERM, None)));
            let done = message(libc::NLMSG_DONE, 0, first.sequence ^ 0x200, &[0; 4]);
            self.answers.push_back(Ok(done));
        }
        let kind = i32::from(first.kind);
        self.requests.lock().expect("the requests").push(kind);
        if kind == nft(libc::NFT_MSG_GETGEN) {
            self.answers.push_back(Ok(self.generation_message(first.sequence)));
        } else if kind == libc::NFNL_MSG_BATCH_BEGIN {
            self.batch();
        } else {
            let dump = self.dump(kind, first.sequence);
            self.answers.push_back(Ok(dump));
        }
        Ok(())
    }

    fn receive(&mut self, _timeout: PollTimeout) -> io::Result<Option<&[u8]>> {
        match self.answers.pop_front() {
            None => Ok(None),
            Some(Err(error)) => Err(error),
            Some(Ok(datagram)) => {
                self.current = datagram;
                if self.noise == Noise::Short {
                    self.current.truncate(self.current.len() / 2);
                }
                Ok(Some(&self.current))
            }
        }
    }
}

/// An engine with a kernel at generation 7 without dwnl's tables, and the requests to that kernel.
fn engine(noise: Noise, replies: impl Into<VecDeque<Reply>>) -> (Engine, Requests) {
    engine_with(Kernel { replies: replies.into(), noise, ..Kernel::new(7) })
}

fn engine_with(kernel: Kernel) -> (Engine, Requests) {
    let requests = Arc::clone(&kernel.requests);
    let mute = || Box::new(Kernel { noise: Noise::Mute, ..Kernel::new(7) });
    (Engine::over([Box::new(kernel), mute()], mute(), mute()), requests)
}

fn apply(noise: Noise, replies: impl Into<VecDeque<Reply>>) -> Result<Outcome, Error> {
    engine(noise, replies).0.apply(&compile(&policy()))
}

/// The sentence of the error that a refusal gives.
fn sentence(message: u32, errno: i32, offset: Option<u32>) -> String {
    let refuse = Reply::Reject { message, errno, offset };
    apply(Noise::None, [refuse]).expect_err("an error").to_string()
}

fn policy() -> Policy {
    let ports = Ports::new(Protocol::Tcp, 443, 443).expect("a port");
    let at = Location { file: "policy.toml".into(), line: 12, column: 1 };
    let entry = Allow::builder([ports]).name("web").at(at).build().expect("an entry");
    Policy::builder().allow(entry).guard(Guard::off()).build().expect("a policy")
}

/// BEGIN, two tables, then for IPv4: DOCKER, DOCKER-BLOCK.
const FIRST_RULE: u32 = 5;
/// Behind them the rule, PREROUTING and its two jumps; for IPv6: DOCKER, DOCKER-BLOCK, the rule.
const PREROUTING_OF_IPV6: u32 = 12;

#[test]
fn an_undisturbed_apply_is_one_batch() {
    for noise in [Noise::None, Noise::Stale] {
        let (mut engine, requests) = engine(noise, []);
        let outcome = engine.apply(&compile(&policy())).expect("success");
        assert_eq!((outcome.generation, outcome.attempts), (8, 1));
        assert_eq!(outcome.plan.added(), 6);
        assert_eq!(count(&requests, libc::NFNL_MSG_BATCH_BEGIN), 1);
    }
}

#[test]
fn nothing_is_sent_where_nothing_is_to_be_done() {
    let (mut engine, requests) = engine(Noise::None, []);
    let outcome = engine.remove().expect("success");
    assert_eq!((outcome.generation, outcome.plan.is_empty()), (7, true));
    assert_eq!(count(&requests, libc::NFNL_MSG_BATCH_BEGIN), 0);
}

#[test]
fn a_conflict_starts_again_from_the_dump() {
    // Before the first message, or after a module was loaded for one.
    for message in [0, FIRST_RULE] {
        let conflict = Reply::Reject { message, errno: libc::ERESTART, offset: None };
        let outcome = apply(Noise::None, [conflict, conflict]).expect("success");
        assert_eq!((outcome.attempts, outcome.generation), (3, 10));
    }
}

#[test]
fn endless_conflicts_end_with_an_error() {
    let conflict = Reply::Reject { message: 0, errno: libc::ERESTART, offset: None };
    let error = apply(Noise::None, vec![conflict; 200]).expect_err("an error");
    assert_eq!(
        error.to_string(),
        "gave up after 100 attempts: another program kept changing the ruleset; nothing was applied"
    );
}

/// An apply of a policy with a set of intervals.
fn apply_intervals(replies: &[Reply]) -> (Result<Outcome, Error>, Requests) {
    let from = (0..100).map(|n| format!("10.0.{n}.0/25"));
    let from: Vec<AddressSpec> = from.map(|it| it.parse().expect("a prefix")).collect();
    let ports = Ports::new(Protocol::Tcp, 443, 443).expect("a port");
    let group = Group::named("many", from).expect("a group");
    let entry = Allow::builder([ports]).from([group]).build().expect("an entry");
    let policy = Policy::builder().allow(entry).guard(Guard::off()).build().expect("a policy");
    let (mut engine, requests) = engine(Noise::None, replies.to_vec());
    (engine.apply(&compile(&policy)), requests)
}

#[test]
fn intervals_are_committed_before_the_rules_that_look_them_up() {
    let (outcome, requests) = apply_intervals(&[]);
    let outcome = outcome.expect("success");
    assert_eq!((outcome.generation, outcome.attempts), (9, 1));
    assert_eq!(count(&requests, libc::NFNL_MSG_BATCH_BEGIN), 2);
}

#[test]
fn a_conflict_between_two_transactions_starts_again_from_the_dump() {
    let conflict = Reply::Reject { message: 0, errno: libc::ERESTART, offset: None };
    let (outcome, requests) = apply_intervals(&[Reply::Commit, conflict]);
    let outcome = outcome.expect("success");
    // This kernel never holds anything, so both are repeated.
    assert_eq!((outcome.generation, outcome.attempts), (11, 2));
    assert_eq!(count(&requests, libc::NFNL_MSG_BATCH_BEGIN), 4);
}

#[test]
fn what_was_prepared_is_removed_if_the_rest_is_rejected() {
    let reject = Reply::Reject { message: 1, errno: libc::ENOMEM, offset: None };
    for (replies, batches) in [(&[reject][..], 1), (&[Reply::Commit, reject], 3)] {
        let (outcome, requests) = apply_intervals(replies);
        let error = outcome.expect_err("an error");
        assert!(matches!(&error, Error::Rejected(_)), "{error}");
        assert_eq!(count(&requests, libc::NFNL_MSG_BATCH_BEGIN), batches);
    }
}

/// An engine whose kernel also has sockets to read, so that it can have a guard.
fn repair(replies: &[Reply]) -> (Result<Outcome, Error>, Requests) {
    let kernel = Kernel { replies: replies.to_vec().into(), ..Kernel::new(7) };
    let requests = Arc::clone(&kernel.requests);
    let other = || Box::new(Kernel::new(7));
    let mut engine = Engine::over([Box::new(kernel), other()], other(), other());
    (engine.repair(&compile(&Policy::default())), requests)
}

#[test]
fn a_repair_is_a_transaction_for_each_stage() {
    let (outcome, requests) = repair(&[]);
    let outcome = outcome.expect("success");
    assert_eq!((outcome.generation, outcome.attempts), (9, 1));
    assert_eq!(count(&requests, libc::NFNL_MSG_BATCH_BEGIN), 2);
    assert!(outcome.protected.is_some() && outcome.plan.added() > 0);
}

#[test]
fn a_conflict_between_the_stages_starts_again_from_the_dump() {
    let conflict = Reply::Reject { message: 0, errno: libc::ERESTART, offset: None };
    let (outcome, requests) = repair(&[Reply::Commit, conflict]);
    let outcome = outcome.expect("success");
    // This kernel never holds anything, so both stages are repeated.
    assert_eq!((outcome.generation, outcome.attempts), (11, 2));
    assert_eq!(count(&requests, libc::NFNL_MSG_BATCH_BEGIN), 4);
    let tables = |it: &&Change| matches!(it, Change::AddTable(_));
    assert_eq!(outcome.plan.changes.iter().filter(tables).count(), 6, "all that was committed");
}

#[test]
fn a_repair_that_fails_after_its_first_stage_says_so() {
    let reject = Reply::Reject { message: 1, errno: libc::ENOMEM, offset: None };
    let error = repair(&[Reply::Commit, reject]).0.expect_err("an error");
    assert!(matches!(&error, Error::Incomplete(_)), "{error}");
    let error = error.to_string();
    assert!(error.starts_with("the guard is in force again and refuses what is not"), "{error}");
    let error = repair(&[reject]).0.expect_err("an error");
    assert!(matches!(&error, Error::Rejected(_)), "{error}");
}

#[test]
fn a_dump_that_was_overtaken_is_taken_again() {
    for noise in [Noise::Interrupted, Noise::Overtaken, Noise::Gone] {
        let (mut engine, _) = engine(noise, []);
        assert_eq!(engine.snapshot().expect("a snapshot").generation, 7);
    }
}

#[test]
fn the_first_refused_change_is_named_with_its_line() {
    for noise in [Noise::None, Noise::Overflow] {
        let refuse = Reply::Reject { message: FIRST_RULE, errno: libc::EINVAL, offset: None };
        let error = apply(noise, [refuse]).expect_err("an error");
        assert_eq!(
            error.to_string(),
            "the kernel rejected adding `-A DOCKER-BLOCK -p tcp -m tcp --dport 443 -m conntrack \
             --ctstate NEW -m comment --comment web -j DOCKER` to ip nat (entry `web` \
             (policy.toml:12:1)): Invalid argument (os error 22)"
        );
    }
}

#[test]
fn a_missing_match_is_named_with_its_module() {
    // The headers take 20 bytes, table and chain 28, the list's header 4, `-p tcp` 80, tcp 56.
    let sentence = sentence(FIRST_RULE, libc::ENOENT, Some(20 + 28 + 4 + 80 + 56));
    assert!(
        sentence.ends_with(
            "at expression 4, match conntrack: this kernel does not support match conntrack \
             (module xt_conntrack)"
        ),
        "{sentence}"
    );
}

#[test]
fn a_kernel_without_nat_for_ipv6_is_named() {
    assert_eq!(
        sentence(PREROUTING_OF_IPV6, libc::ENOENT, None),
        "the kernel rejected creating chain ip6 nat PREROUTING: No such file or directory (os error 2): \
         this kernel does not support nat chains for family ip6 (module nft_chain_nat)"
    );
    assert_eq!(
        sentence(2, libc::EAFNOSUPPORT, None),
        "the kernel rejected creating table ip6 nat: Address family not supported by protocol (os error \
         97): this kernel does not support nf_tables for family ip6"
    );
}

#[test]
fn a_batch_that_was_ignored_is_no_success() {
    let error = apply(Noise::None, [Reply::Ignore]).expect_err("an error");
    assert!(matches!(error, Error::Malformed(_)), "{error}");
}

#[test]
fn missing_rights_and_a_missing_subsystem_are_told_apart() {
    let error = apply(Noise::Errno(libc::EPERM), []).expect_err("an error");
    assert!(matches!(error, Error::Permission), "{error}");
    let error = apply(Noise::Errno(libc::EOPNOTSUPP), []).expect_err("an error");
    assert!(matches!(error, Error::NoNfTables), "{error}");
    let refuse = Reply::Reject { message: 0, errno: libc::EPERM, offset: None };
    let error = apply(Noise::None, [refuse]).expect_err("an error");
    assert!(matches!(error, Error::Permission), "{error}");
}

#[test]
fn a_kernel_that_does_not_answer_is_not_waited_for_without_end() {
    let error = apply(Noise::Mute, []).expect_err("an error");
    assert_eq!(error.to_string(), "netlink error while reading a reply: timed out");
}

/// `NFT_MSG_GETFLOWTABLE`.
const GET_FLOWTABLE: i32 = 23;

#[test]
fn what_our_table_holds_beside_chains_and_sets_is_seen() {
    for (holds, expected) in
        [(None, false), (Some(libc::NFT_MSG_GETOBJ), true), (Some(GET_FLOWTABLE), true)]
    {
        let kernel = Kernel { table: b"dwnl\0\0\0\0", holds, ..Kernel::new(7) };
        let snapshot = engine_with(kernel).0.snapshot().expect("a snapshot");
        let [own] = managed_objects().owned_tables.try_into().expect("one table");
        assert_eq!(snapshot.tables[&own].has_foreign_objects, expected, "{holds:?}");
    }
}

#[test]
fn lost_answers_to_a_batch_are_an_error_even_if_others_change_the_ruleset_meanwhile() {
    let conflict = Reply::Reject { message: 0, errno: libc::ERESTART, offset: None };
    for times in [1, 1000] {
        let error = apply(Noise::Lost(times), [conflict]).expect_err("an error");
        assert_eq!(
            error.to_string(),
            "netlink error while reading the replies to the transaction: No buffer space available \
             (os error 105)"
        );
    }
}

#[test]
fn an_answer_that_is_cut_short_is_no_answer() {
    let error = apply(Noise::Short, []).expect_err("an error");
    assert_eq!(error.to_string(), "netlink error while reading a reply: timed out");
}
