//! Sets and maps as the kernel holds them.

use super::verdict::RuleVerdict;

/// A set or map, named or part of a rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelSet {
    /// Whether it is part of the one rule that looks it up.
    pub anonymous: bool,
    /// Whether its elements are intervals.
    pub intervals: bool,
    /// Whether rules add elements.
    pub dynamic: bool,
    /// The lengths of a concatenated key's fields in bytes; each field is padded to four bytes. One
    /// field for a key that is not concatenated, as long as the key.
    pub(crate) fields: Vec<usize>,
    /// The elements, in ascending order of their keys.
    pub(crate) elements: Vec<KernelElement>,
    /// What a key has that matches no other element, if there is a catch-all element (`*`).
    pub(crate) catch_all: Option<ElementData>,
}

impl KernelSet {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.elements.len() + usize::from(self.catch_all.is_some())
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An element: the keys from `first` to `last`, of a concatenated key each field in its range.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KernelElement {
    /// The lowest key.
    pub first: Box<[u8]>,
    /// The highest key.
    pub last: Box<[u8]>,
    /// What it maps to.
    pub data: ElementData,
}

/// What an element maps to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum ElementData {
    /// Nothing: it is an element of a set.
    #[default]
    None,
    /// A value of a map.
    Value(Box<[u8]>),
    /// A verdict of a verdict map.
    Verdict(RuleVerdict),
    /// What dwnl does not read, such as a stateful object, or an element with a limit of its own.
    Unknown,
}
