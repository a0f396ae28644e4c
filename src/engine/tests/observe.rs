//! What an engine reads again after commits of other programs.

use super::super::monitor::CommitAssembler;
use super::*;

/// The events of a commit that changes an object of this kind in this table and produces this generation.
fn events(kind: i32, table: &str, generation: u32) -> Vec<MonitorEvent> {
    let [high, low] = (generation as u16).to_be_bytes();
    let mut change = vec![1, 0, high, low];
    change.extend_from_slice(&[9, 0, 1, 0]);
    change.extend_from_slice(table.as_bytes());
    change.extend_from_slice(&[0; 4]);
    change.extend_from_slice(&SET[..8]);
    let mut datagram = message(nft(kind), 0, 1, &change);
    datagram.extend(Kernel::new(generation).generation_message(2));
    let mut events = Vec::new();
    CommitAssembler::starting_at(1).read(&datagram, &mut events);
    events
}

#[test]
fn elements_are_read_again_only_if_they_may_have_changed() {
    let added = libc::NFT_MSG_NEWSETELEM;
    for (observed, dumps) in [
        (events(added, "kube", 8), 1),
        (events(libc::NFT_MSG_NEWRULE, "dwnl", 8), 1),
        (events(added, "dwnl", 8), 2),
        (events(libc::NFT_MSG_DELTABLE, "dwnl", 8), 2),
        (events(added, "kube", 9), 2),
        (vec![], 2),
        ([vec![MonitorEvent::Overrun], events(added, "kube", 8)].concat(), 2),
    ] {
        let holds = Some(libc::NFT_MSG_GETSET);
        let kernel = Kernel { table: b"dwnl\0\0\0\0", holds, ..Kernel::new(7) };
        let (mut engine, requests) = engine_with(kernel);
        let plan = engine.plan(&compile(&policy())).expect("a plan");
        // `commit` does not know the ruleset, so that it stores nothing.
        assert_eq!(engine.commit(&plan).expect("success"), 8);
        for event in &observed {
            event.invalidate(&engine.set_cache);
        }
        engine.snapshot().expect("a snapshot");
        assert_eq!(count(&requests, nft(libc::NFT_MSG_GETSETELEM)), dumps, "{observed:?}");
    }
}
