//! Remembers the elements of dwnl's sets at one generation of the ruleset. While the ruleset stays at
//! that generation, or changes only elsewhere, a hundred thousand elements need not be dumped again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::commit::next_generation;
use crate::model::{Interval, Ruleset, SetPath, Snapshot};

/// What an engine knows of the kernel's sets. Shared by the engine, which fills it, and the monitor that
/// it subscribed, which invalidates what other programs change.
#[derive(Default)]
pub(super) struct SetCache {
    state: Mutex<State>,
}

/// The elements of sets.
pub(super) type Sets = BTreeMap<SetPath, Arc<[Interval]>>;

#[derive(Default)]
struct State {
    generation: u32,
    sets: Sets,
    overruns: u64,
    /// Whether sets came from [`SetCache::assume`] and have not been forgotten since.
    is_assumed: bool,
}

/// The number of overruns before something was read from the kernel or written to it.
///
/// After an overrun, the rest of a commit may arrive as if it were a whole commit. It is not younger
/// than what is read after the overrun, but it may be younger than what was read before: that must not
/// be stored any more.
#[derive(Clone, Copy)]
pub(super) struct Epoch(u64);

impl SetCache {
    /// The elements of a set at this generation, if they are known.
    pub fn get(&self, generation: u32, set: &SetPath) -> Option<Arc<[Interval]>> {
        let state = self.state();
        let sets = (generation == state.generation).then_some(&state.sets)?;
        sets.get(set).map(Arc::clone)
    }

    /// Moves on to the generation that a commit produced. If it is the next one, all sets but those that
    /// the commit touched are unchanged; if not, commits in between are unknown, and nothing moves.
    pub fn advance(&self, generation: u32, touches: impl Fn(&SetPath) -> bool) {
        let mut state = self.state();
        if generation == next_generation(state.generation) {
            state.generation = generation;
            state.sets.retain(|set, _| !touches(set));
        }
    }

    /// Forgets all sets after an overrun.
    pub fn clear(&self) {
        let mut state = self.state();
        state.overruns += 1;
        state.sets.clear();
    }

    /// Takes over what another engine knew of this generation.
    pub fn assume(&self, generation: u32, sets: Sets) {
        let mut state = self.state();
        (state.generation, state.sets, state.is_assumed) = (generation, sets, true);
    }

    /// Forgets all sets if any were assumed, and returns whether.
    pub fn forget_assumed(&self) -> bool {
        let mut state = self.state();
        let was_assumed = std::mem::take(&mut state.is_assumed);
        if was_assumed {
            state.sets.clear();
        }
        was_assumed
    }

    /// What is known, and of which generation.
    pub fn known(&self) -> (u32, Sets) {
        let state = self.state();
        (state.generation, state.sets.clone())
    }

    /// To be taken before the kernel is read or written.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.state().overruns)
    }

    /// Stores the sets of a snapshot that was taken in this epoch.
    pub fn store_snapshot(&self, epoch: Epoch, snapshot: &Snapshot) {
        let tables = snapshot.tables.iter();
        let sets = tables
            .flat_map(|(path, table)| table.sets.iter().map(move |set| (path, set)))
            .filter(|(_, (_, installed))| installed.kind.is_some_and(|kind| !kind.is_dynamic()))
            .map(|(table, (set, installed))| {
                let path = SetPath { table: table.clone(), set: Arc::clone(set) };
                (path, Arc::clone(&installed.elements))
            });
        self.store(epoch, snapshot.generation, sets.collect());
    }

    /// Stores the sets of a ruleset that was committed in this epoch and produced this generation.
    pub fn store_ruleset(&self, epoch: Epoch, generation: u32, ruleset: &Ruleset) {
        let sets = ruleset.sets.iter().filter(|set| !set.kind.is_dynamic());
        let sets = sets.map(|set| (set.path.as_ref().clone(), Arc::clone(&set.elements)));
        self.store(epoch, generation, sets.collect());
    }

    fn store(&self, epoch: Epoch, generation: u32, sets: Sets) {
        let mut state = self.state();
        if epoch.0 == state.overruns {
            state.generation = generation;
            state.sets = sets;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{Family, InstalledSet, IpVersion, SetKind, TablePath};

    const HOSTS: SetKind = SetKind::Hosts { version: IpVersion::V4, capacity: 1024 };

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
    fn elements_are_cached_for_one_generation() {
        let cache = SetCache::default();
        cache.store_snapshot(cache.epoch(), &snapshot(3, Some(HOSTS)));
        assert_eq!(cache.get(3, &path("cdn-4")).map(|elements| elements.len()), Some(1));
        assert!(cache.get(4, &path("cdn-4")).is_none());
        assert!(cache.get(3, &path("cdn-6")).is_none());

        cache.store_ruleset(cache.epoch(), 4, &Ruleset::default());
        assert!(cache.get(4, &path("cdn-4")).is_none());
    }

    #[test]
    fn elements_stay_cached_across_commits_that_do_not_touch_them() {
        let cache = SetCache::default();
        cache.store_snapshot(cache.epoch(), &snapshot(u32::MAX, Some(HOSTS)));
        cache.advance(1, |set| *set == path("cdn-6"));
        assert!(cache.get(1, &path("cdn-4")).is_some());
        // Generation 2 was not reported.
        cache.advance(3, |_| false);
        assert!(cache.get(3, &path("cdn-4")).is_none());
        cache.advance(2, |set| *set == path("cdn-4"));
        assert!(cache.get(2, &path("cdn-4")).is_none());
    }

    #[test]
    fn a_set_that_was_not_read_is_not_cached_as_empty() {
        let cache = SetCache::default();
        cache.store_snapshot(cache.epoch(), &snapshot(3, None));
        assert!(cache.get(3, &path("cdn-4")).is_none());
    }

    #[test]
    fn nothing_that_was_read_before_an_overrun_is_stored_after_it() {
        let cache = SetCache::default();
        let epoch = cache.epoch();
        cache.clear();
        cache.store_snapshot(epoch, &snapshot(3, Some(HOSTS)));
        assert!(cache.get(3, &path("cdn-4")).is_none());
        cache.store_snapshot(cache.epoch(), &snapshot(3, Some(HOSTS)));
        assert!(cache.get(3, &path("cdn-4")).is_some());
    }

    const SETS: usize = 3;

    fn name(set: usize) -> SetPath {
        path(&format!("cdn-{set}"))
    }

    /// A kernel with some sets of one element each, and the events that have not been read.
    struct Kernel {
        generation: u32,
        elements: [u128; SETS],
        events: VecDeque<(u32, [bool; SETS])>,
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

        fn sets(&self) -> Sets {
            (0..SETS).map(|set| (name(set), self.installed(set))).collect()
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// Another program commits, which is reported or not.
        Foreign([bool; SETS], bool),
        /// The engine commits, which is never reported, and stores the sets or not.
        Own([bool; SETS], bool),
        /// The engine reads the sets.
        Read,
        /// The engine begins to read the sets, and stores them only after the next steps.
        ReadSlowly,
        /// The monitor reads this many events.
        Observe(usize),
        /// The waiting events are lost, and the monitor reports that.
        Overrun,
    }

    fn step() -> impl Strategy<Value = Step> {
        let touched = || any::<[bool; SETS]>();
        prop_oneof![
            4 => (touched(), prop::bool::weighted(0.9)).prop_map(|(t, r)| Step::Foreign(t, r)),
            2 => (touched(), any::<bool>()).prop_map(|(touched, keep)| Step::Own(touched, keep)),
            1 => Just(Step::Read),
            1 => Just(Step::ReadSlowly),
            4 => (1..4usize).prop_map(Step::Observe),
            1 => Just(Step::Overrun),
        ]
    }

    proptest! {
        #[test]
        fn the_cache_never_disagrees_with_the_kernel(
            before in prop_oneof![Just(0u32), Just(u32::MAX - 3), any::<u32>()],
            steps in prop::collection::vec(step(), 0..60),
        ) {
            let cache = SetCache::default();
            let mut kernel =
                Kernel { generation: before, elements: [0; SETS], events: VecDeque::new() };
            let mut pending = None;
            for step in steps {
                match step {
                    Step::Foreign(touched, is_reported) => {
                        kernel.commit(touched);
                        let event = (kernel.generation, touched);
                        kernel.events.extend(is_reported.then_some(event));
                    }
                    Step::Own(touched, is_stored) => {
                        kernel.commit(touched);
                        if is_stored {
                            cache.store(cache.epoch(), kernel.generation, kernel.sets());
                        }
                    }
                    Step::Read => cache.store(cache.epoch(), kernel.generation, kernel.sets()),
                    Step::ReadSlowly => {
                        if let Some((epoch, generation, sets)) = pending.take() {
                            cache.store(epoch, generation, sets);
                        }
                        pending = Some((cache.epoch(), kernel.generation, kernel.sets()));
                    }
                    Step::Observe(count) => {
                        let count = count.min(kernel.events.len());
                        for (generation, touched) in kernel.events.drain(..count) {
                            cache.advance(generation, |set| {
                                (0..SETS).any(|other| touched[other] && name(other) == *set)
                            });
                        }
                    }
                    Step::Overrun => {
                        kernel.events.clear();
                        cache.clear();
                    }
                }
                for set in 0..SETS {
                    if let Some(elements) = cache.get(kernel.generation, &name(set)) {
                        prop_assert_eq!(elements, kernel.installed(set));
                    }
                }
            }
        }
    }
}
