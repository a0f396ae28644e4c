//! Conditions on the interface by which a packet comes in.

use std::fmt;

use crate::model::Interface;

/// Conditions on the interface, all of which hold; at least one. There are several where one entry denies
/// a part of what another one allows: `eth+ and !eth0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Interfaces(Vec<Interface>);

impl Interfaces {
    /// One condition.
    pub(super) fn one(interface: Interface) -> Interfaces {
        Interfaces(vec![interface])
    }

    /// These conditions and one more, without those that follow from others.
    pub(super) fn and(&self, interface: Interface) -> Interfaces {
        let mut all: Vec<Interface> =
            self.0.iter().filter(|known| !covers(known, &interface)).cloned().collect();
        if !all.iter().any(|known| covers(&interface, known)) {
            all.push(interface);
        }
        Interfaces(all)
    }

    /// Whether the interface of this name meets all conditions.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().all(|interface| interface.matches(name))
    }

    /// Whether this is the only condition.
    pub(super) fn is(&self, interface: &Interface) -> bool {
        matches!(self.0.as_slice(), [only] if only == interface)
    }

    /// Whether every interface that meets the others meets these, as far as is certain.
    pub(super) fn cover(&self, other: &Interfaces) -> bool {
        self.0.iter().all(|outer| other.0.iter().any(|inner| covers(outer, inner)))
    }

    /// Whether no interface meets these and the others.
    pub(super) fn are_apart(&self, other: &Interfaces) -> bool {
        let is_apart = |one: &Interface| other.0.iter().any(|other| are_apart(one, other));
        self.0.iter().any(is_apart)
    }

    /// The only condition, inverted; `None` if there are several.
    pub(super) fn inverted(&self) -> Option<Interface> {
        match self.0.as_slice() {
            [only] => Some(Interface::unchecked(
                only.name().clone(),
                only.is_wildcard(),
                !only.is_negated(),
            )),
            _ => None,
        }
    }

    /// The only condition; `None` if there are several.
    pub(super) fn single(&self) -> Option<&Interface> {
        match self.0.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// `eth0`, `eth+ and !eth0`
impl fmt::Display for Interfaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, interface) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str(" and ")?;
            }
            write!(f, "{interface}")?;
        }
        Ok(())
    }
}

/// Whether the name of one interface condition begins with that of the other, in all combinations of
/// wildcards and negations that are certain.
fn covers(outer: &Interface, inner: &Interface) -> bool {
    match (outer.is_negated(), inner.is_negated()) {
        (false, false) => names_cover(outer, inner),
        (true, true) => names_cover(inner, outer),
        (true, false) => !names_cover(outer, inner) && !names_cover(inner, outer),
        (false, true) => false,
    }
}

/// Whether no interface meets both conditions.
fn are_apart(one: &Interface, other: &Interface) -> bool {
    match (one.is_negated(), other.is_negated()) {
        (false, false) => !names_cover(one, other) && !names_cover(other, one),
        (true, true) => false,
        (true, false) => names_cover(one, other),
        (false, true) => names_cover(other, one),
    }
}

/// Whether the condition, without its negation, includes all names of the other one.
fn names_cover(outer: &Interface, inner: &Interface) -> bool {
    match outer.is_wildcard() {
        true => inner.name().starts_with(&**outer.name()),
        false => !inner.is_wildcard() && inner.name() == outer.name(),
    }
}
