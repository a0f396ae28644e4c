//! Waiting for a condition.

use std::thread;
use std::time::{Duration, Instant};

/// The time-out of all waits, far longer than any of them takes. On a slow machine,
/// `DWNL_TESTS_TIMEOUT` sets it in seconds.
fn timeout() -> Duration {
    let configured = std::env::var("DWNL_TESTS_TIMEOUT").ok();
    Duration::from_secs(configured.map_or(60, |seconds| seconds.parse().expect("seconds")))
}

/// Calls `attempt` until it returns a value. Panics with `what` after the time-out.
#[track_caller]
pub fn wait_for<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    let value = wait_if(attempt);
    value.unwrap_or_else(|| panic!("{what}: not within {} s", timeout().as_secs()))
}

/// Calls `attempt` until it returns a value, or until the time-out.
pub fn wait_if<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + timeout();
    while Instant::now() < end {
        if let Some(value) = attempt() {
            return Some(value);
        }
        thread::sleep(Duration::from_millis(20));
    }
    None
}
