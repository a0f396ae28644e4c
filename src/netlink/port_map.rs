//! Maps from ports to chains, and their elements.

use super::attribute::{Attribute, Attributes, put, put_nested, put_string};
use super::rule::verdict;
use super::set::{
    CATCH_ALL, FLAG_INTERVAL, INTERVAL_END, TYPE_PORT, element_flags, put_set_path, put_u32,
};
use super::uapi::{self, NESTED};
use crate::model::kernel::RuleVerdict;
use crate::model::{Name, PortTarget, SetPath};

/// `NFT_SET_MAP`: each element has data.
const FLAG_MAP: u32 = 8;
/// `NFT_DATA_VERDICT`: the data are verdicts.
const TYPE_VERDICT: u32 = 0xffff_ff00;
/// Of a port, in bytes.
const KEY_LENGTH: u32 = 2;

/// Appends the attributes of NEWSET. `id` is unique in the batch.
pub fn put_map(bytes: &mut Vec<u8>, map: &SetPath, id: u32) {
    put_set_path(bytes, map);
    put_u32(bytes, uapi::set::FLAGS, FLAG_INTERVAL | FLAG_MAP);
    put_u32(bytes, uapi::set::KEY_TYPE, TYPE_PORT);
    put_u32(bytes, uapi::set::KEY_LENGTH, KEY_LENGTH);
    put_u32(bytes, uapi::set::DATA_TYPE, TYPE_VERDICT);
    put_u32(bytes, uapi::set::ID, id);
}

/// The lowest port with its chain, and the port behind the highest if there is any.
pub fn put_target(bytes: &mut Vec<u8>, PortTarget { first, last, chain }: &PortTarget) {
    put_nested(bytes, uapi::LIST_ELEMENT | NESTED, |bytes| {
        put_key(bytes, *first);
        if let Some(chain) = chain {
            put_nested(bytes, uapi::element::DATA | NESTED, |bytes| put_goto(bytes, chain));
        }
    });
    if let Some(behind) = last.checked_add(1) {
        put_nested(bytes, uapi::LIST_ELEMENT | NESTED, |bytes| {
            put_key(bytes, behind);
            put_u32(bytes, uapi::element::FLAGS, INTERVAL_END);
        });
    }
}

fn put_key(bytes: &mut Vec<u8>, port: u16) {
    put_nested(bytes, uapi::element::KEY | NESTED, |bytes| {
        put(bytes, uapi::data::VALUE, &port.to_be_bytes());
    });
}

fn put_goto(bytes: &mut Vec<u8>, chain: &str) {
    put_nested(bytes, uapi::data::VERDICT | NESTED, |bytes| {
        put_u32(bytes, uapi::verdict::CODE, uapi::verdict_code::GOTO.cast_unsigned());
        put_string(bytes, uapi::verdict::CHAIN, chain);
    });
}

/// The name of a map of the kind that dwnl creates. The bytes are the attributes of NEWSET.
pub(crate) fn decode_map(attributes: Attributes) -> Option<Name> {
    let number = |attribute| attributes.clone().find(attribute).and_then(|it| it.be_u32());
    let is_absent = |attribute| attributes.clone().find(attribute).is_none();
    let is_ours = number(uapi::set::FLAGS) == Some(FLAG_INTERVAL | FLAG_MAP)
        && number(uapi::set::KEY_TYPE) == Some(TYPE_PORT)
        && number(uapi::set::KEY_LENGTH) == Some(KEY_LENGTH)
        && number(uapi::set::DATA_TYPE) == Some(TYPE_VERDICT)
        && [uapi::set::EXPRESSION, uapi::set::EXPRESSIONS, uapi::set::TIMEOUT]
            .into_iter()
            .all(is_absent);
    let name = attributes.clone().find(uapi::set::NAME).filter(|_| is_ours)?;
    Some(name.string().into())
}

/// The elements of a map in the order of the dump.
#[derive(Debug, Default)]
pub(crate) struct DumpedTargets {
    keys: Vec<DumpedKey>,
    /// Whether one of them matches every port.
    catch_all: bool,
}

#[derive(Debug)]
struct DumpedKey {
    port: u16,
    is_end: bool,
    chain: Option<Name>,
}

impl DumpedTargets {
    /// Appends those of one message. The bytes are the attributes of NEWSETELEM.
    pub fn read(&mut self, attributes: Attributes) -> Option<()> {
        let list = attributes.find(uapi::element_list::ELEMENTS);
        for element in list.into_iter().flat_map(|list| list.nested()) {
            let flags = element_flags(&element);
            if flags & CATCH_ALL != 0 {
                self.catch_all = true;
                continue;
            }
            let key = element.nested().find(uapi::element::KEY)?.nested();
            let port = key.clone().find(uapi::data::VALUE)?.payload.try_into().ok()?;
            self.keys.push(DumpedKey {
                port: u16::from_be_bytes(port),
                is_end: flags & INTERVAL_END != 0,
                chain: chain(&element),
            });
        }
        Some(())
    }

    /// The elements of the whole map, sorted; `None` if there is one that dwnl cannot delete.
    pub fn into_targets(mut self) -> Option<Vec<PortTarget>> {
        if self.catch_all {
            return None;
        }
        // Where one interval ends and the next begins, the end comes first.
        self.keys.sort_by_key(|key| (key.port, !key.is_end));
        let mut targets: Vec<PortTarget> = Vec::with_capacity(self.keys.len() / 2 + 1);
        let mut open: Option<DumpedKey> = None;
        for key in self.keys {
            match (open.take(), key.is_end) {
                (Some(first), true) => {
                    let last = key.port.checked_sub(1)?;
                    targets.push(PortTarget { first: first.port, last, chain: first.chain });
                }
                (None, false) => open = Some(key),
                // One without the other.
                _ => return None,
            }
        }
        targets.extend(open.map(|DumpedKey { port: first, chain, .. }| PortTarget {
            first,
            last: u16::MAX,
            chain,
        }));
        Some(targets)
    }
}

/// The chain that an element goes to, if it does nothing else.
fn chain(element: &Attribute) -> Option<Name> {
    use uapi::element::{DATA, EXPRESSION, EXPRESSIONS, OBJECT, TIMEOUT};
    let has_more = [EXPRESSION, EXPRESSIONS, OBJECT, TIMEOUT]
        .into_iter()
        .any(|attribute| element.nested().find(attribute).is_some());
    match verdict(element.nested().find(DATA)?)? {
        RuleVerdict::Goto(chain) if !has_more => Some(chain),
        _ => None,
    }
}
