//! Reads the elements of sets. The kernel works on a dump in the thread that reads it, so two threads,
//! each with a socket, read many sets.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};

use super::Error;
use super::connection::{Connection, DumpStatus};
use crate::model::{Interval, SetKind, SetPath};
use crate::netlink::{Dump, DumpedElements};

/// Minimum number of sets for a second thread. Fewer sets are read before it has started.
const MANY: usize = 4;

/// A set whose elements have to be read.
pub(super) struct PendingSet {
    /// The set.
    pub path: SetPath,
    /// The kind of its elements.
    pub kind: SetKind,
}

/// The elements of a set, sorted; `None` if there is one of a kind that dwnl does not use.
pub(super) type Elements = Option<Vec<Interval>>;

/// Reads the sets, in their order. `None` if the ruleset has changed meanwhile.
pub(super) fn read(
    connections: &mut [Connection; 2],
    sets: &[PendingSet],
    generation: u32,
) -> Result<Option<Vec<Elements>>, Error> {
    let queue = Queue { sets, generation, next: AtomicUsize::new(0) };
    let [first, second] = connections;
    let read = thread::scope(|scope| {
        let helper = (sets.len() >= MANY).then(|| {
            // If no thread can be started, this one reads them all.
            thread::Builder::new().spawn_scoped(scope, || queue.work(second)).ok()
        });
        let mut read = queue.work(first)?;
        if let Some(others) = helper.flatten().map(ScopedJoinHandle::join) {
            read.extend(others.unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok::<_, Error>(read)
    })?;
    if read.len() < sets.len() {
        return Ok(None);
    }
    let mut elements: Vec<Elements> = vec![None; sets.len()];
    for (index, intervals) in read {
        if let Some(slot) = elements.get_mut(index) {
            *slot = intervals;
        }
    }
    Ok(Some(elements))
}

/// The sets, and which of them is read next.
struct Queue<'a> {
    sets: &'a [PendingSet],
    generation: u32,
    next: AtomicUsize,
}

impl Queue<'_> {
    /// Reads one set after the other until none is left or a dump is interrupted. Returns the elements
    /// with the indices of their sets.
    fn work(&self, connection: &mut Connection) -> Result<Vec<(usize, Elements)>, Error> {
        let mut read = Vec::new();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(set) = self.sets.get(index) else { return Ok(read) };
            let Some(elements) = self.dump(connection, set)? else { return Ok(read) };
            read.push((index, elements.into_intervals(set.kind)));
        }
    }

    fn dump(
        &self,
        connection: &mut Connection,
        set: &PendingSet,
    ) -> Result<Option<DumpedElements>, Error> {
        let mut elements = DumpedElements::default();
        let SetPath { table, set } = &set.path;
        let what = Dump::Elements { table: &table.table, set };
        let dumped = connection.dump(what, table.family, self.generation, |message| {
            elements.read(message.attributes()).is_some()
        })?;
        Ok((dumped == DumpStatus::Complete).then_some(elements))
    }
}
