//! The bytes of [`KnownSets`](super::KnownSets): a header, then each set with its name and its elements.
//! Numbers are little-endian. Elements take the least of 4, 8 and 16 bytes that fits all of their set, and
//! single ones are written once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::identity::Identity;
use crate::engine::set_cache::Sets;
use crate::model::{Family, Interval, Name, SetPath, TablePath};

/// The first bytes; the number grows with every change of the format.
const MAGIC: &[u8; 12] = b"dwnl sets 1\n";
/// The size of an element's number in bytes, in the order in which they are tried.
const WIDTHS: [u8; 3] = [4, 8, 16];
/// Set in the byte of the width if elements have two ends.
const INTERVALS: u8 = 0x80;

/// What sets are known of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Header {
    /// Of which ruleset.
    pub identity: Identity,
    /// When this was the generation, as the time since the start of the kernel.
    pub checked: Duration,
    /// Of which generation.
    pub generation: u32,
    /// Whether rules can match the cgroup of a listening socket on this kernel, if that was found out.
    pub matches_sockets: Option<bool>,
}

impl Header {
    /// `None` if this is not the header of this version of the format.
    pub fn read(bytes: &[u8]) -> Option<Header> {
        Header::read_from(&mut Bytes(bytes))
    }

    fn read_from(bytes: &mut Bytes) -> Option<Header> {
        (bytes.take(MAGIC.len())? == MAGIC).then_some(())?;
        let identity =
            Identity { boot: bytes.number(16)?, namespace: bytes.int()?, module: bytes.int()? };
        let (checked, generation) = (Duration::from_secs(bytes.int()?), bytes.int()?);
        let matches_sockets = match bytes.int::<u8>()? {
            0 => None,
            1 => Some(false),
            2 => Some(true),
            _ => return None,
        };
        Some(Header { identity, checked, generation, matches_sockets })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let Header { identity, checked, generation, matches_sockets } = self;
        out.extend(MAGIC);
        out.extend(identity.boot.to_le_bytes());
        out.extend(identity.namespace.to_le_bytes());
        out.extend(identity.module.to_le_bytes());
        out.extend(checked.as_secs().to_le_bytes());
        out.extend(generation.to_le_bytes());
        out.push(matches_sockets.map_or(0, |matches| 1 + u8::from(matches)));
    }
}

/// The header and the sets. A set of another table than dwnl's, or of other elements than intervals, is left
/// out, and is read then.
pub(super) fn write(header: &Header, sets: &Sets) -> Vec<u8> {
    let mut out = Vec::new();
    header.write(&mut out);
    for (path, elements) in sets {
        let names = [&path.table.table, &path.set]
            .map(|name| u8::try_from(name.len()).map(|it| (it, name)));
        let ([Ok(table), Ok(set)], Family::Inet, Ok(count)) =
            (names, path.table.family, u32::try_from(elements.len()))
        else {
            continue;
        };
        if !are_intervals(elements) {
            continue;
        }
        for (length, name) in [table, set] {
            out.push(length);
            out.extend(name.as_bytes());
        }
        out.extend(count.to_le_bytes());
        write_elements(&mut out, elements);
    }
    out
}

fn write_elements(out: &mut Vec<u8>, elements: &[Interval]) {
    let has_intervals = !elements.iter().all(|it| it.is_host());
    let highest = elements.last().map_or(0, |it| it.last);
    let fits = |width: &u8| highest.checked_shr(u32::from(*width) * 8).unwrap_or(0) == 0;
    let width = WIDTHS.into_iter().find(fits).unwrap_or(16);
    out.push(if has_intervals { width | INTERVALS } else { width });
    let width = usize::from(width);
    out.reserve(elements.len() * width * (1 + usize::from(has_intervals)));
    for Interval { first, last } in elements {
        out.extend(&first.to_le_bytes()[..width]);
        if has_intervals {
            out.extend(&last.to_le_bytes()[..width]);
        }
    }
}

/// The sets; `None` if there is anything that [`write`] does not write.
pub(super) fn read_sets(bytes: &[u8]) -> Option<Sets> {
    let mut bytes = Bytes(bytes);
    Header::read_from(&mut bytes)?;
    let mut sets = BTreeMap::new();
    while !bytes.0.is_empty() {
        let (table, set) = (bytes.name()?, bytes.name()?);
        let table = TablePath { family: Family::Inet, table };
        let elements = read_elements(&mut bytes)?;
        sets.insert(SetPath { table, set }, elements);
    }
    Some(sets)
}

fn read_elements(bytes: &mut Bytes) -> Option<Arc<[Interval]>> {
    let count = usize::try_from(bytes.int::<u32>()?).ok()?;
    let form: u8 = bytes.int()?;
    let (width, has_intervals) = (form & !INTERVALS, form & INTERVALS != 0);
    WIDTHS.contains(&width).then_some(())?;
    let width = usize::from(width);
    let length = if has_intervals { 2 * width } else { width };
    let elements = bytes.take(count.checked_mul(length)?)?.chunks_exact(length).map(|element| {
        let (first, last) = element.split_at(width);
        let first = number(first);
        Interval { first, last: if has_intervals { number(last) } else { first } }
    });
    let elements: Arc<[Interval]> = elements.collect();
    are_intervals(&elements).then_some(elements)
}

/// Whether they are intervals, sorted and disjoint.
fn are_intervals(elements: &[Interval]) -> bool {
    elements.is_sorted_by(|a, b| a.last < b.first) && elements.iter().all(|it| it.first <= it.last)
}

/// A little-endian number of at most 16 bytes.
fn number(bytes: &[u8]) -> u128 {
    match *bytes {
        // Most elements are IPv4 addresses.
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]).into(),
        _ => bytes.iter().rev().fold(0, |number, byte| number << 8 | u128::from(*byte)),
    }
}

/// What remains to be read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, length: usize) -> Option<u128> {
        self.take(length).map(number)
    }

    fn int<T: TryFrom<u128>>(&mut self) -> Option<T> {
        T::try_from(self.number(size_of::<T>())?).ok()
    }

    fn name(&mut self) -> Option<Name> {
        let length: u8 = self.int()?;
        str::from_utf8(self.take(length.into())?).ok().map(Name::from)
    }
}
