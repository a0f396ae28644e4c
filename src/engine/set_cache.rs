//! The elements of our sets as they were at one generation. As long as the ruleset is still at that
//! generation, or at one before which others touched other things alone, they are what they were, and a
//! hundred thousand elements need not be dumped again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::commit::next_generation;
use crate::model::{Interval, Ruleset, SetPath, Snapshot};

/// What an engine remembers of the kernel's sets.
#[derive(Default)]
pub(super) struct SetCache {
    generation: u32,
    sets: BTreeMap<SetPath, Arc<[Interval]>>,
}

impl SetCache {
    /// The elements of a set at this generation, if they are remembered.
    pub fn get(&self, generation: u32, set: &SetPath) -> Option<Arc<[Interval]>> {
        let sets = (generation == self.generation).then_some(&self.sets)?;
        sets.get(set).map(Arc::clone)
    }

    /// Takes notice of the commit that brought about this generation. If it is the next one, all but
    /// the sets that it touched are what they were; of any other nothing follows.
    pub fn advance(&mut self, generation: u32, touches: impl Fn(&SetPath) -> bool) {
        if generation == next_generation(self.generation) {
            self.generation = generation;
            self.sets.retain(|set, _| !touches(set));
        }
    }

    /// Remembers nothing any more.
    pub fn clear(&mut self) {
        self.sets.clear();
    }

    /// Remembers what was read.
    pub fn store_snapshot(&mut self, snapshot: &Snapshot) {
        self.generation = snapshot.generation;
        let tables = snapshot.tables.iter();
        self.sets = tables
            .flat_map(|(path, table)| table.sets.iter().map(move |set| (path, set)))
            .filter(|(_, (_, installed))| installed.kind.is_some_and(|kind| !kind.is_dynamic()))
            .map(|(table, (set, installed))| {
                let path = SetPath { table: table.clone(), set: Arc::clone(set) };
                (path, Arc::clone(&installed.elements))
            })
            .collect();
    }

    /// Remembers what the commit that brought about this generation has put in place.
    pub fn store_ruleset(&mut self, generation: u32, ruleset: &Ruleset) {
        self.generation = generation;
        let sets = ruleset.sets.iter().filter(|set| !set.kind.is_dynamic());
        self.sets =
            sets.map(|set| (set.path.as_ref().clone(), Arc::clone(&set.elements))).collect();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{Family, InstalledSet, IpVersion, SetKind, TablePath};

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
        let kind = SetKind::Hosts { version: IpVersion::V4, capacity: 1024 };
        let mut memory = SetCache::default();
        memory.store_snapshot(&snapshot(3, Some(kind)));
        assert_eq!(memory.get(3, &path("cdn-4")).map(|elements| elements.len()), Some(1));
        assert!(memory.get(4, &path("cdn-4")).is_none());
        assert!(memory.get(3, &path("cdn-6")).is_none());

        memory.store_ruleset(4, &Ruleset::default());
        assert!(memory.get(4, &path("cdn-4")).is_none());
    }

    #[test]
    fn elements_outlive_the_commits_that_leave_them_alone() {
        let kind = SetKind::Hosts { version: IpVersion::V4, capacity: 1024 };
        let mut memory = SetCache::default();
        memory.store_snapshot(&snapshot(u32::MAX, Some(kind)));
        memory.advance(1, |set| *set == path("cdn-6"));
        assert!(memory.get(1, &path("cdn-4")).is_some());
        // One was not heard of.
        memory.advance(3, |_| false);
        assert!(memory.get(3, &path("cdn-4")).is_none());
        memory.advance(2, |set| *set == path("cdn-4"));
        assert!(memory.get(2, &path("cdn-4")).is_none());
    }

    #[test]
    fn a_set_that_was_not_read_is_not_remembered_as_empty() {
        let mut memory = SetCache::default();
        memory.store_snapshot(&snapshot(3, None));
        assert!(memory.get(3, &path("cdn-4")).is_none());
    }

    const SETS: usize = 3;

    fn name(set: usize) -> SetPath {
        path(&format!("cdn-{set}"))
    }

    /// A kernel with some sets of one element each, and the notices that have not been read.
    struct Kernel {
        generation: u32,
        elements: [u128; SETS],
        notices: VecDeque<(u32, [bool; SETS])>,
    }

    impl Kernel {
        fn commit(&mut self, touched: [bool; SETS]) {
            self.generation = next_generation(self.generation);
            for (element, is_touched) in self.elements.iter_mut().zip(touched) {
                *element += u128::from(is_touched);
            }
        }

        fn installed(&self, set: usize) -> Arc<[Interval]> {
            [Interval { first: self.elements[set], last: self.elements[set] }].into()
        }

        fn sets(&self) -> BTreeMap<SetPath, Arc<[Interval]>> {
            (0..SETS).map(|set| (name(set), self.installed(set))).collect()
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// Somebody commits, and it is heard of or not.
        Foreign([bool; SETS], bool),
        /// The engine commits something, of which nothing is heard, and remembers it or not.
        Own([bool; SETS], bool),
        /// It reads the sets.
        Read,
        /// It takes notice of so many commits.
        Heed(usize),
        /// What waits is lost, and it takes notice of that.
        Lose,
    }

    fn step() -> impl Strategy<Value = Step> {
        let touched = || any::<[bool; SETS]>();
        prop_oneof![
            4 => (touched(), prop::bool::weighted(0.9)).prop_map(|(t, h)| Step::Foreign(t, h)),
            2 => (touched(), any::<bool>()).prop_map(|(touched, keep)| Step::Own(touched, keep)),
            1 => Just(Step::Read),
            4 => (1..4usize).prop_map(Step::Heed),
            1 => Just(Step::Lose),
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_remembered_that_the_kernel_does_not_hold(
            before in prop_oneof![Just(0u32), Just(u32::MAX - 3), any::<u32>()],
            steps in prop::collection::vec(step(), 0..60),
        ) {
            let mut memory = SetCache::default();
            let mut kernel =
                Kernel { generation: before, elements: [0; SETS], notices: VecDeque::new() };
            for step in steps {
                match step {
                    Step::Foreign(touched, is_heard) => {
                        kernel.commit(touched);
                        let notice = (kernel.generation, touched);
                        kernel.notices.extend(is_heard.then_some(notice));
                    }
                    Step::Own(touched, is_kept) => {
                        kernel.commit(touched);
                        if is_kept {
                            memory = SetCache { generation: kernel.generation, sets: kernel.sets() };
                        }
                    }
                    Step::Read => {
                        memory = SetCache { generation: kernel.generation, sets: kernel.sets() };
                    }
                    Step::Heed(count) => {
                        let count = count.min(kernel.notices.len());
                        for (generation, touched) in kernel.notices.drain(..count) {
                            memory.advance(generation, |set| {
                                (0..SETS).any(|other| touched[other] && name(other) == *set)
                            });
                        }
                    }
                    Step::Lose => {
                        kernel.notices.clear();
                        memory.clear();
                    }
                }
                for set in 0..SETS {
                    if let Some(elements) = memory.get(kernel.generation, &name(set)) {
                        prop_assert_eq!(elements, kernel.installed(set));
                    }
                }
            }
        }
    }
}
