//! Waiting for a condition.

use std::thread;
use std::time::{Duration, Instant};

/// Far longer than anything here takes: reached only by what never happens. A slow machine says so in
/// `DWNL_TESTS_PATIENCE`, in seconds.
fn patience() -> Duration {
    let told = std::env::var("DWNL_TESTS_PATIENCE").ok();
    Duration::from_secs(told.map_or(60, |seconds| seconds.parse().expect("seconds")))
}

/// Tries until there is a value; panics with `what` if there is none in time.
#[track_caller]
pub fn wait_for<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    let value = wait_if(attempt);
    value.unwrap_or_else(|| panic!("{what}: not within {} s", patience().as_secs()))
}

/// Tries until there is a value, but not for ever.
pub fn wait_if<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + patience();
    while Instant::now() < end {
        if let Some(value) = attempt() {
            return Some(value);
        }
        thread::sleep(Duration::from_millis(20));
    }
    None
}
