//! What an engine reads again after it has taken notice of others' commits.

use super::super::monitor::CommitAssembler;
use super::*;

/// The notices of a monitor that hears the commit that changes this object of our table, or of one
/// elsewhere, and brings about this generation.
fn notices(kind: i32, table: &str, generation: u32) -> Vec<MonitorEvent> {
    let [high, low] = (generation as u16).to_be_bytes();
    let mut change = vec![1, 0, high, low];
    change.extend_from_slice(&[9, 0, 1, 0]);
    change.extend_from_slice(table.as_bytes());
    change.extend_from_slice(&[0; 4]);
    change.extend_from_slice(&SET[..8]);
    let mut datagram = message(nft(kind), 0, 1, &change);
    datagram.extend(Kernel::new(generation).generation_message(2));
    let mut notices = Vec::new();
    CommitAssembler::starting_at(1).read(&datagram, &mut notices);
    notices
}

#[test]
fn elements_are_read_again_only_if_they_may_have_changed() {
    let added = libc::NFT_MSG_NEWSETELEM;
    for (heard, dumps) in [
        (notices(added, "kube", 8), 1),
        (notices(libc::NFT_MSG_NEWRULE, "dwnl", 8), 1),
        (notices(added, "dwnl", 8), 2),
        (notices(libc::NFT_MSG_DELTABLE, "dwnl", 8), 2),
        (notices(added, "kube", 9), 2),
        (vec![], 2),
        ([vec![MonitorEvent::Overrun], notices(added, "kube", 8)].concat(), 2),
    ] {
        let holds = Some(libc::NFT_MSG_GETSET);
        let kernel = Kernel { table: b"dwnl\0\0\0\0", holds, ..Kernel::new(7) };
        let (mut engine, requests) = engine_before(kernel);
        let plan = engine.plan(&compile(&policy())).expect("a plan");
        // Of what it commits without a name it remembers nothing, as of somebody else's commit.
        assert_eq!(engine.commit(&plan).expect("success"), 8);
        for notice in &heard {
            engine.observe(notice);
        }
        engine.snapshot().expect("a snapshot");
        assert_eq!(count(&requests, nft(libc::NFT_MSG_GETSETELEM)), dumps, "{heard:?}");
    }
}
