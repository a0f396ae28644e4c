//! Waiting for a condition.

use std::thread;
use std::time::{Duration, Instant};

/// Far longer than anything here takes: reached only by what never happens.
const DEADLINE: Duration = Duration::from_secs(60);

/// Tries until there is a value; panics with `what` if there is none in time.
#[track_caller]
pub fn wait_for<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    let value = wait_if(attempt);
    value.unwrap_or_else(|| panic!("{what}: not within {} s", DEADLINE.as_secs()))
}

/// Tries until there is a value, but not for ever.
pub fn wait_if<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        if let Some(value) = attempt() {
            return Some(value);
        }
        thread::sleep(Duration::from_millis(20));
    }
    None
}
