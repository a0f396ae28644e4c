//! Reads the elements of sets, those of many sets in two threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Error;
use super::beside::beside;
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
    let is_long = sets.len() >= MANY;
    let (read, others) = beside(is_long, || queue.work(second), || queue.work(first));
    let mut read = read?;
    if let Some(others) = others {
        read.extend(others?);
    }
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
