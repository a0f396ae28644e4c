//! The elements of our sets as they were at one generation. As long as the ruleset is still at that
//! generation, or at one before which others touched other things alone, they are what they were, and a
//! hundred thousand elements need not be dumped again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::commit::next_generation;
use crate::ruleset::{Interval, Ruleset, SetPath, Snapshot};

/// What an engine remembers of the kernel's sets.
#[derive(Default)]
pub(super) struct Memory {
    generation: u32,
    sets: BTreeMap<SetPath, Arc<[Interval]>>,
}

impl Memory {
    /// The elements of a set at this generation, if they are remembered.
    pub fn recall(&self, generation: u32, set: &SetPath) -> Option<Arc<[Interval]>> {
        let sets = (generation == self.generation).then_some(&self.sets)?;
        sets.get(set).map(Arc::clone)
    }

    /// Takes notice of the commit that brought about this generation. If it is the next one, all but
    /// the sets that it touched are what they were; of any other nothing follows.
    pub fn follow(&mut self, generation: u32, touches: impl Fn(&SetPath) -> bool) {
        if generation == next_generation(self.generation) {
            self.generation = generation;
            self.sets.retain(|set, _| !touches(set));
        }
    }

    /// Remembers nothing any more.
    pub fn forget(&mut self) {
        self.sets.clear();
    }

    /// Remembers what was read.
    pub fn keep_read(&mut self, snapshot: &Snapshot) {
        self.generation = snapshot.generation;
        let tables = snapshot.tables.iter();
        self.sets = tables
            .flat_map(|(path, table)| table.sets.iter().map(move |set| (path, set)))
            .filter(|(_, (_, installed))| installed.kind.is_some())
            .map(|(table, (set, installed))| {
                let path = SetPath { table: table.clone(), set: Arc::clone(set) };
                (path, Arc::clone(&installed.elements))
            })
            .collect();
    }

    /// Remembers what the commit that brought about this generation has put in place.
    pub fn keep_written(&mut self, generation: u32, ruleset: &Ruleset) {
        self.generation = generation;
        let sets = ruleset.sets.iter();
        self.sets =
            sets.map(|set| (set.path.as_ref().clone(), Arc::clone(&set.elements))).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::{Family, InstalledSet, SetKind, TablePath};

    fn path(set: &str) -> SetPath {
        let table = TablePath { family: Family::Inet, table: "dwnl".into() };
        SetPath { table, set: set.into() }
    }

    fn snapshot(generation: u32, kind: Option<SetKind>) -> Snapshot {
        let elements = [Interval { first: 7, last: 7 }].into();
        let mut snapshot = Snapshot { generation, ..Snapshot::default() };
        let path = path("cdn-4");
        let table = snapshot.tables.entry(path.table).or_default();
        table.sets.insert(path.set, InstalledSet { kind, elements });
        snapshot
    }

    #[test]
    fn elements_are_remembered_for_one_generation() {
        let kind = SetKind { family: Family::Ip, capacity: Some(1024) };
        let mut memory = Memory::default();
        memory.keep_read(&snapshot(3, Some(kind)));
        assert_eq!(memory.recall(3, &path("cdn-4")).map(|elements| elements.len()), Some(1));
        assert!(memory.recall(4, &path("cdn-4")).is_none());
        assert!(memory.recall(3, &path("cdn-6")).is_none());

        memory.keep_written(4, &Ruleset::default());
        assert!(memory.recall(4, &path("cdn-4")).is_none());
    }

    #[test]
    fn a_set_that_was_not_read_is_not_remembered_as_empty() {
        let mut memory = Memory::default();
        memory.keep_read(&snapshot(3, None));
        assert!(memory.recall(3, &path("cdn-4")).is_none());
    }
}
