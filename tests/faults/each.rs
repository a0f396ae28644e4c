//! Many small cases, as many at a time as the machine has processors.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Calls the function for each case and returns its results, in no order. A panic of one ends the
/// test when the others are done.
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
