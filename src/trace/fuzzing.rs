//! Entry point that follows packets through any messages.

#![allow(clippy::missing_panics_doc)]

use std::time::{Duration, Instant, SystemTime};

use super::{Fate, PacketAssembler, ReadAt, table_name};
use crate::model::Name;
use crate::netlink::{Messages, decode_trace};

/// The data are messages about traced packets; the table of the trace is `dwnl-trace-1`. Every packet
/// ends, and what is known of it can be printed.
pub fn trace(data: &[u8]) {
    let mut assembler = PacketAssembler::new(table_name(1).into());
    let (mut instant, mut packets) = (Instant::now(), Vec::new());
    for message in Messages::new(data).filter_map(|it| decode_trace(&it)) {
        let at = ReadAt { instant, time: SystemTime::UNIX_EPOCH };
        assembler.add(message, at, &|index| Name::from(index.to_string()), &mut packets);
        instant += Duration::from_millis(100);
        assembler.expire(instant, &mut packets);
    }
    assembler.expire(instant + Duration::from_secs(60), &mut packets);
    assert_eq!(assembler.deadline(), None);
    for packet in &packets {
        for visit in &packet.visits {
            assert!(!visit.steps.is_empty() && !visit.path().is_empty(), "{visit:?}");
        }
        let has_decision = packet.decision().is_some();
        assert!(has_decision || !matches!(packet.fate, Fate::Dropped | Fate::Queued), "{packet:?}");
    }
}
