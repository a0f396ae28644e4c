//! Events from recorded datagrams: those of iptables 1.8.9 and nft 1.0.6 on Linux 6.18.

use proptest::prelude::*;

use super::assembler::CommitAssembler;
use super::*;
use crate::compile::managed_objects;
use crate::model::SetPath;

/// `iptables -t nat -A PREROUTING -j RETURN` without that table: the changes, and the end of the commit.
const IPTABLES: [&str; 2] = [
    "38000000000a000402000000a003000002000002080001006e61740008000300000000010c000400000000000000\
     000108000200000000006c000000030a000403000000a003000002000002080001006e6174000f00030050524552\
     4f5554494e4700000c000200000000000000000114000400080001000000000008000200ffffff9c080005000000\
     0001080007006e61740008000a0000000001080006000000000198000000060a000c04000000a003000002000002\
     080001006e6174000f000200505245524f5554494e4700000c0003000000000000000002600004002c0001000c00\
     0100636f756e746572001c0002000c00010000000000000000000c0002000000000000000000300001000e000100\
     696d6d6564696174650000001c0002000800010000000000100002000c00020008000100fffffffb",
    "340000000f0a000002000000a003000000000002080001000000000208000200000003a00d00030069707461626c\
     657300000000",
];

/// `nft add element inet dwnl s { 10.0.0.0/8, 192.0.2.7 }`, a set of intervals.
const ELEMENTS: [&str; 2] = [
    "440000000c0a000400000000a7030000010000060900010064776e6c0000000006000200730000001c0003001800\
     01000c000100080001000000000008000300000000013c0000000c0a000400000000a70300000100000609000100\
     64776e6c00000000060002007300000014000300100001000c000100080001000a000000440000000c0a00040000\
     0000a7030000010000060900010064776e6c0000000006000200730000001c000300180001000c00010008000100\
     0b00000008000300000000013c0000000c0a000400000000a7030000010000060900010064776e6c000000000600\
     02007300000014000300100001000c00010008000100c0000207440000000c0a000400000000a703000001000006\
     0900010064776e6c0000000006000200730000001c000300180001000c00010008000100c0000208080003000000\
     0001",
    "2c0000000f0a000001000000a703000000000006080001000000000608000200000003a7080003006e667400",
];

/// `nft delete table inet dwnl`.
const TABLE: [&str; 2] = [
    "340000000b0a000001000000a9030000010000070900010064776e6c0000000006000200730000000c0010000000\
     00000000000134000000020a000001000000a9030000010000070900010064776e6c000000000800030000000000\
     0c0004000000000000000002",
    "2c0000000f0a000001000000a903000000000007080001000000000708000200000003a9080003006e667400",
];

/// `nft add table ip kube`.
const ELSEWHERE: [&str; 2] = [
    "3c000000000a000001000000ab03000002000008090001006b7562650000000008000300000000000c0004000000\
     0000000000030800020000000000",
    "2c0000000f0a000001000000ab03000000000008080001000000000808000200000003ab080003006e667400",
];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

/// The events that a monitor reads from these datagrams if it was opened at generation 1.
fn events(datagrams: &[Vec<u8>]) -> Vec<MonitorEvent> {
    let mut assembler = CommitAssembler::starting_at(1);
    let mut events = Vec::new();
    for datagram in datagrams {
        assembler.read(datagram, &mut events);
    }
    events
}

fn commits(datagrams: &[Vec<u8>]) -> Vec<Commit> {
    let commit = |event| match event {
        MonitorEvent::Commit(commit) => Some(commit),
        MonitorEvent::Overrun => None,
    };
    events(datagrams).into_iter().map(|event| commit(event).expect("no overrun")).collect()
}

fn set(name: &str) -> SetPath {
    let [table] = managed_objects().owned_tables.try_into().expect("one table");
    SetPath { table, set: name.into() }
}

#[test]
fn a_commit_is_reported_with_its_process() {
    let [commit] = commits(&IPTABLES.map(bytes)).try_into().expect("one commit");
    assert_eq!(commit.generation, 2);
    assert_eq!(
        commit.to_string(),
        "process iptables (pid 928) added table ip nat, added chain ip nat PREROUTING, added 1 rule \
         in ip nat PREROUTING"
    );
    assert!(commit.is_relevant());
    assert!(!commit.touches(&set("s")));
}

#[test]
fn it_makes_no_difference_how_the_messages_are_divided() {
    let all: Vec<Vec<u8>> =
        [IPTABLES, ELEMENTS, TABLE, ELSEWHERE].concat().iter().map(|hex| bytes(hex)).collect();
    let expected: Vec<String> = commits(&all).iter().map(Commit::to_string).collect();
    assert_eq!(
        expected[1..],
        [
            "process nft (pid 935) added 2 elements in inet dwnl s",
            "process nft (pid 937) deleted table inet dwnl",
            "process nft (pid 939) added table ip kube"
        ]
    );
    let one = all.concat();
    let mut each = Vec::new();
    let mut rest = one.as_slice();
    while let Some(length) = rest.first_chunk::<4>() {
        let (message, others) = rest.split_at(u32::from_ne_bytes(*length) as usize);
        each.push(message.to_vec());
        rest = others;
    }
    for datagrams in [vec![one], each] {
        let texts: Vec<String> = commits(&datagrams).iter().map(Commit::to_string).collect();
        assert_eq!(texts, expected);
    }
}

#[test]
fn relevant_commits_are_distinguished_from_others() {
    for (datagrams, is_relevant, touches, touches_another) in
        [(ELEMENTS, true, true, false), (TABLE, true, true, true), (ELSEWHERE, false, false, false)]
    {
        let [commit] = commits(&datagrams.map(bytes)).try_into().expect("one commit");
        assert_eq!(commit.is_relevant(), is_relevant, "{commit}");
        assert_eq!(commit.touches(&set("s")), touches, "{commit}");
        assert_eq!(commit.touches(&set("t")), touches_another, "{commit}");
    }
}

#[test]
fn a_message_that_cannot_be_decoded_may_be_any_change() {
    let [change, end] = ELSEWHERE.map(bytes);
    let mut unknown = change.clone();
    unknown[4] = 99;
    let mut nameless = change.clone();
    nameless[22] = 77;
    let cut_short = change[..change.len() - 4].to_vec();
    let [of_another, _] = ELEMENTS.map(bytes);
    for odd in [unknown, nameless, cut_short, of_another] {
        let [commit] = commits(&[odd, end.clone()]).try_into().expect("one commit");
        assert!(commit.is_relevant() && commit.touches(&set("t")), "{commit}");
    }
}

#[test]
fn a_commit_that_began_before_the_monitor_was_opened_is_an_overrun() {
    for since in [2, 3, 0x8000_0001] {
        let mut events = Vec::new();
        let mut assembler = CommitAssembler::starting_at(since);
        assembler.read(&IPTABLES.map(bytes).concat(), &mut events);
        assert!(matches!(events[..], [MonitorEvent::Overrun]), "{since}: {events:?}");
    }
    // The generation has wrapped around.
    let mut events = Vec::new();
    CommitAssembler::starting_at(u32::MAX - 7).read(&IPTABLES.map(bytes).concat(), &mut events);
    assert!(matches!(events[..], [MonitorEvent::Commit(_)]), "{events:?}");
}

#[test]
fn the_summary_of_a_commit_is_bounded() {
    let [change, end] = ELEMENTS.map(bytes);
    let mut changes = Vec::new();
    for number in 0..1000 {
        let mut message = change[68..128].to_vec();
        // The set's name is one letter.
        message[36] = 1 + (number % 250) as u8;
        changes.push(message);
    }
    changes.push(end);
    let [commit] = commits(&changes).try_into().expect("one commit");
    let text = commit.to_string();
    assert!(text.ends_with("and made 936 other changes"), "{text}");
    assert!(text.contains(r"in inet dwnl \u{1},"), "{text}");
    assert!(commit.touches(&set("any other")));
}

proptest! {
    #[test]
    fn any_datagrams_are_read_without_panic(
        mut datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..128), 0..4),
        kinds in prop::collection::vec(0u8..26, 4),
    ) {
        for (datagram, kind) in datagrams.iter_mut().zip(kinds) {
            let length = datagram.len() as u32;
            if let Some(header) = datagram.first_chunk_mut::<6>() {
                *header = [length as u8, 0, 0, 0, kind, libc::NFNL_SUBSYS_NFTABLES as u8];
            }
        }
        for event in events(&datagrams) {
            if let MonitorEvent::Commit(commit) = event {
                prop_assert!(!commit.to_string().is_empty());
            }
        }
    }
}
