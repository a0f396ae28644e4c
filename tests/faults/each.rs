//! Runs many small cases in parallel, one per processor.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Calls the function for each case and returns the results, in any order. If a case panics, the
/// test fails once the others have finished.
pub fn each<C: Sync, R: Send>(cases: &[C], function: impl Fn(&C) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let work = || {
        let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        numbers.map_while(|number| cases.get(number)).map(&function).collect::<Vec<R>>()
    };
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no case to fail")).collect()
    })
}
