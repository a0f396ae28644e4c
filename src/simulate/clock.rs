//! What rules load about the present: `meta time`, `meta hour`, `meta day`.

use std::time::{SystemTime, UNIX_EPOCH};

use super::bits::Bits;
use crate::model::kernel::MetaKey;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Loads the present as `nft_meta_get_eval_time` of `net/netfilter/nft_meta.c` does: nanoseconds since
/// 1970, seconds since midnight in UTC, or the day of the week.
pub fn load(key: MetaKey, now: Option<SystemTime>) -> Bits {
    let since = now.and_then(|now| now.duration_since(UNIX_EPOCH).ok());
    let Some(since) = since else { return Bits::unknown(8) };
    let seconds = since.as_secs();
    match key {
        MetaKey::TIME_NS => {
            let nanoseconds = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
            Bits::known(&nanoseconds.to_ne_bytes())
        }
        MetaKey::TIME_HOUR => Bits::number((seconds % DAY) as u32),
        // The kernel takes its own time zone (`sys_tz`) off, which this program does not know.
        _ => Bits::unknown(1),
    }
}
