//! Work in a second thread. The kernel lists objects in the thread that reads them, so two threads with a
//! socket each list two things at the same time.

use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};

/// Runs `work`, and beside it `other` if it `is_long`. If it is not, or if no thread can be started, `other`
/// is not run.
pub(super) fn beside<T, O: Send>(
    is_long: bool,
    other: impl FnOnce() -> O + Send,
    work: impl FnOnce() -> T,
) -> (T, Option<O>) {
    thread::scope(|scope| {
        let helper = is_long.then(|| thread::Builder::new().spawn_scoped(scope, other).ok());
        let done = work();
        let other = helper.flatten().map(ScopedJoinHandle::join);
        (done, other.map(|it| it.unwrap_or_else(|panic| resume_unwind(panic))))
    })
}
