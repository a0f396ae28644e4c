//! The sources of a permit.

use std::hash::{Hash, Hasher};
use std::ptr;
use std::sync::Arc;

use super::addresses::Addresses;
use crate::model::{Interval, IpVersion, Name};

/// The sources of a permit. Sets are shared, and not merged before their content is needed.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    pub own: Addresses,
    pub sets: Vec<SetSource>,
}

/// The elements of a set.
#[derive(Clone, Debug)]
pub(super) struct SetSource {
    pub version: IpVersion,
    pub name: Name,
    pub elements: Arc<[Interval]>,
}

impl Sources {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.sets.iter().all(|set| set.elements.is_empty())
    }

    /// Those of one IP version.
    pub fn of_version(&self, version: IpVersion) -> Sources {
        let own = self.own.of_version(version);
        let sets = self.sets.iter().filter(|set| set.version == version).cloned().collect();
        Sources { own, sets }
    }

    /// All of them.
    pub fn addresses(&self) -> Addresses {
        let all = |version| {
            let sets = self.sets.iter().filter(move |set| set.version == version);
            self.own.of(version).chain(sets.flat_map(|set| set.elements.iter().copied()))
        };
        Addresses::merged(all(IpVersion::V4), all(IpVersion::V6))
    }
}

/// Sets are compared by identity, which is enough to find entries that share them.
impl PartialEq for SetSource {
    fn eq(&self, other: &SetSource) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.elements, &other.elements)
    }
}

impl PartialEq for Sources {
    fn eq(&self, other: &Sources) -> bool {
        self.own == other.own && self.sets == other.sets
    }
}

impl Eq for Sources {}

impl Hash for Sources {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.own.hash(state);
        self.sets.iter().for_each(|set| ptr::hash(&*set.elements, state));
    }
}
