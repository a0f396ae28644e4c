//! Sets and maps of any program, with all of their elements.

use super::attribute::{Attribute, Attributes};
use super::rule::verdict;
use super::uapi;
use crate::model::kernel::{ElementData, KernelElement};
use crate::model::{KernelSet, Name};

/// `NFT_SET_*`.
const FLAG_ANONYMOUS: u32 = 1;
const FLAG_INTERVAL: u32 = 4;
const FLAG_DYNAMIC: u32 = 0x20;
/// `NFT_SET_ELEM_INTERVAL_END`: the element is the first key behind an interval.
const INTERVAL_END: u32 = 1;
/// `NFT_SET_ELEM_CATCHALL`: the element matches every key that no other one matches.
const CATCH_ALL: u32 = 2;

/// A set's name and kind; its elements are still missing. The bytes are the attributes of NEWSET.
pub(crate) fn decode_kernel_set(attributes: Attributes) -> Option<(Name, KernelSet)> {
    let number = |attribute| attributes.clone().find(attribute)?.be_u32();
    let name = attributes.clone().find(uapi::set::NAME)?.string().into();
    let flags = number(uapi::set::FLAGS).unwrap_or(0);
    let description = attributes.clone().find(uapi::set::DESCRIPTION);
    let fields = description.and_then(|it| it.nested().find(uapi::set_description::CONCATENATION));
    let fields = fields.into_iter().flat_map(|list| list.nested());
    let length =
        |field: Attribute| Some(field.nested().find(uapi::set_field::LENGTH)?.be_u32()? as usize);
    let mut fields: Vec<usize> = fields.filter_map(length).collect();
    if fields.is_empty() {
        fields.push(number(uapi::set::KEY_LENGTH)? as usize);
    }
    let set = KernelSet {
        anonymous: flags & FLAG_ANONYMOUS != 0,
        intervals: flags & FLAG_INTERVAL != 0,
        dynamic: flags & FLAG_DYNAMIC != 0,
        fields,
        ..KernelSet::default()
    };
    Some((name, set))
}

/// The elements of a set in the order of the dump.
#[derive(Debug, Default)]
pub(crate) struct DumpedKernelElements {
    elements: Vec<DumpedElement>,
    catch_all: Option<ElementData>,
}

#[derive(Debug)]
struct DumpedElement {
    key: Box<[u8]>,
    end: Option<Box<[u8]>>,
    is_end: bool,
    data: ElementData,
}

impl DumpedKernelElements {
    /// Appends those of one message. The bytes are the attributes of NEWSETELEM.
    pub fn read(&mut self, attributes: Attributes) -> Option<()> {
        let list = attributes.find(uapi::element_list::ELEMENTS);
        for element in list.into_iter().flat_map(|list| list.nested()) {
            let flags = element.nested().find(uapi::element::FLAGS);
            let flags = flags.and_then(|flags| flags.be_u32()).unwrap_or(0);
            let data = data(&element);
            if flags & CATCH_ALL != 0 {
                self.catch_all = Some(data);
                continue;
            }
            self.elements.push(DumpedElement {
                key: value(&element, uapi::element::KEY)?,
                end: value(&element, uapi::element::KEY_END),
                is_end: flags & INTERVAL_END != 0,
                data,
            });
        }
        Some(())
    }

    /// Adds the elements to their set, sorted.
    pub fn fill(mut self, set: &mut KernelSet) {
        set.catch_all = self.catch_all;
        // Where one interval ends and the next begins, the end comes first.
        self.elements.sort_by(|a, b| (&a.key, !a.is_end).cmp(&(&b.key, !b.is_end)));
        let is_tree = set.intervals && set.fields.len() == 1;
        set.elements = if is_tree { intervals(self.elements) } else { single(self.elements) };
    }
}

/// Elements that have both of their ends, or only one key.
fn single(elements: Vec<DumpedElement>) -> Vec<KernelElement> {
    let element = |it: DumpedElement| KernelElement {
        last: it.end.unwrap_or_else(|| it.key.clone()),
        first: it.key,
        data: it.data,
    };
    elements.into_iter().filter(|it| !it.is_end).map(element).collect()
}

/// Sorted elements each of which begins or ends an interval. The last one may be without an end.
fn intervals(elements: Vec<DumpedElement>) -> Vec<KernelElement> {
    let mut intervals: Vec<KernelElement> = Vec::new();
    let mut open: Option<(Box<[u8]>, ElementData)> = None;
    for DumpedElement { key, end, is_end, data } in elements {
        if let Some((first, data)) = open.take() {
            intervals.push(KernelElement { first, last: predecessor(&key), data });
        }
        match end {
            Some(last) => intervals.push(KernelElement { first: key, last, data }),
            None if !is_end => open = Some((key, data)),
            None => {}
        }
    }
    if let Some((first, data)) = open {
        let last = vec![0xff; first.len()].into();
        intervals.push(KernelElement { first, last, data });
    }
    intervals
}

/// The number before this one, in the network's order; that before 0 is 0.
fn predecessor(key: &[u8]) -> Box<[u8]> {
    let mut key: Box<[u8]> = key.into();
    if key.iter().all(|byte| *byte == 0) {
        return key;
    }
    for byte in key.iter_mut().rev() {
        let borrows = *byte == 0;
        *byte = byte.wrapping_sub(1);
        if !borrows {
            break;
        }
    }
    key
}

fn value(element: &Attribute, attribute: u16) -> Option<Box<[u8]>> {
    let value = element.nested().find(attribute)?.nested().find(uapi::data::VALUE)?;
    Some(value.payload.into())
}

/// What an element maps to. One with a limit of its own is not certain to be found.
fn data(element: &Attribute) -> ElementData {
    use uapi::element::{DATA, EXPRESSION, EXPRESSIONS, OBJECT};
    let one = element.nested().find(EXPRESSION);
    let many = element.nested().find(EXPRESSIONS);
    let many = many.into_iter().flat_map(|list| list.nested());
    let is_counter = |it: Attribute| {
        let name = it.nested().find(uapi::expression::NAME);
        name.is_some_and(|name| matches!(name.string().as_ref(), "counter" | "last"))
    };
    if !one.into_iter().chain(many).all(is_counter) || element.nested().find(OBJECT).is_some() {
        return ElementData::Unknown;
    }
    let Some(data) = element.nested().find(DATA) else { return ElementData::None };
    match (verdict(data), value(element, DATA)) {
        (Some(verdict), _) => ElementData::Verdict(verdict),
        (None, Some(value)) => ElementData::Value(value),
        (None, None) => ElementData::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(key: [u8; 2], is_end: bool) -> DumpedElement {
        DumpedElement { key: key.into(), end: None, is_end, data: ElementData::None }
    }

    #[test]
    fn the_ends_of_intervals_are_their_last_keys() {
        let mut set = KernelSet { intervals: true, fields: vec![2], ..KernelSet::default() };
        let elements = vec![
            element([1, 0], true),
            element([0, 80], false),
            element([2, 0], false),
            element([1, 0], false),
            element([1, 1], true),
        ];
        DumpedKernelElements { elements, catch_all: None }.fill(&mut set);
        let ends: Vec<_> = set.elements.iter().map(|it| (&*it.first, &*it.last)).collect();
        let expected: [(&[u8], &[u8]); 3] =
            [(&[0, 80], &[0, 255]), (&[1, 0], &[1, 0]), (&[2, 0], &[255, 255])];
        assert_eq!(ends, expected);
    }
}
