//! Looks a key up in a set or map.

use super::bits::{Answer, Bits};
use crate::model::KernelSet;
use crate::model::kernel::{ElementData, KernelElement};

/// What a key is found to have.
pub enum Found<'a> {
    /// It is in the set, with this data.
    Yes(&'a ElementData),
    /// It is not in the set.
    No,
    /// It may be in the set with this data, or not be in it.
    Maybe(&'a ElementData),
    /// It may be in the set, with one of several data.
    Several,
}

/// Looks up the key that the registers hold from some offset on.
pub fn find<'a>(set: &'a KernelSet, key: impl Fn(usize) -> Bits) -> Found<'a> {
    let length = set.elements.first().map_or(0, |element| element.first.len());
    let key = key(length);
    let mut possible: Option<&ElementData> = None;
    for element in &set.elements {
        match is_in(element, &key, &set.fields) {
            Answer::Yes if possible.is_none() => return found(&element.data),
            Answer::No => {}
            Answer::Yes | Answer::Maybe => match possible {
                Some(data) if *data != element.data => return Found::Several,
                _ => possible = Some(&element.data),
            },
        }
    }
    match (possible, &set.catch_all) {
        (None, None) => Found::No,
        (None, Some(data)) => found(data),
        (Some(data), None) => Found::Maybe(data),
        (Some(data), Some(other)) if data == other => found(data),
        (Some(_), Some(_)) => Found::Several,
    }
}

/// An element whose data cannot be read may have a limit of its own.
fn found(data: &ElementData) -> Found<'_> {
    match data {
        ElementData::Unknown => Found::Maybe(data),
        _ => Found::Yes(data),
    }
}

/// Whether each field of the key is in its range.
fn is_in(element: &KernelElement, key: &Bits, fields: &[usize]) -> Answer {
    let is_concatenated = fields.len() > 1;
    if !is_concatenated {
        return key.is_within(&element.first, &element.last);
    }
    let mut offset = 0;
    let mut answer = Answer::Yes;
    for length in fields {
        let range = offset..offset + length;
        let ends = (element.first.get(range.clone()), element.last.get(range));
        let (Some(first), Some(last)) = ends else { return Answer::Maybe };
        answer = answer.and(key.slice(offset, *length).is_within(first, last));
        offset += length.next_multiple_of(4);
    }
    answer
}
