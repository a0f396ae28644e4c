//! An expression of a rule → what it loads, computes or tests.

use super::data::Data;
use super::{statement, xt_match, xt_target};
use crate::model::Family;
use crate::model::kernel::{
    Arithmetic, Comparison, CtKey, FlowDirection, Load, MetaKey, PayloadBase, RulePart, Store,
};
use crate::netlink::attribute::Attribute;
use crate::netlink::uapi;

/// Reads an item of `NFTA_RULE_EXPRESSIONS`.
pub fn read(element: Attribute, family: Family) -> RulePart {
    let Some(name) = element.nested().find(uapi::expression::NAME) else {
        return RulePart::Other("?".into());
    };
    let name = name.string();
    // It has no data.
    if name == "notrack" {
        return RulePart::Notrack;
    }
    let data = element.nested().find(uapi::expression::DATA).map(Data);
    let known = data.and_then(|data| read_data(&name, data, family));
    known.unwrap_or_else(|| RulePart::Other(name.as_ref().into()))
}

fn read_data(name: &str, data: Data, family: Family) -> Option<RulePart> {
    match name {
        "meta" | "payload" | "ct" | "fib" | "socket" => load_or_store(name, data),
        "bitwise" => bitwise(data),
        "byteorder" => byte_order(data),
        "cmp" => compare(data),
        "range" => range(data),
        "match" => Some(RulePart::Match(xt_match::read(data, family)?)),
        "target" => Some(RulePart::Target(xt_target::read(data, family)?)),
        _ => statement::read(name, data),
    }
}

fn load_or_store(name: &str, data: Data) -> Option<RulePart> {
    let (destination, source) = match name {
        "meta" => (uapi::meta::DESTINATION, Some(uapi::meta::SOURCE)),
        "payload" => (uapi::payload::DESTINATION, Some(uapi::payload::SOURCE)),
        "ct" => (uapi::ct::DESTINATION, Some(uapi::ct::SOURCE)),
        "fib" => (uapi::fib::DESTINATION, None),
        _ => (uapi::socket::DESTINATION, None),
    };
    if let Some(from) = source.and_then(|source| data.register(source)) {
        return Some(RulePart::Store { from, what: store(load(name, data)?)? });
    }
    Some(RulePart::Load { to: data.register(destination)?, what: load(name, data)? })
}

/// Length of all registers in bytes: nothing longer can be loaded.
const REGISTERS: u32 = 64;

fn load(name: &str, data: Data) -> Option<Load> {
    Some(match name {
        "meta" => Load::Meta(MetaKey(data.number(uapi::meta::KEY)?)),
        "payload" => Load::Payload {
            base: payload_base(data.number(uapi::payload::BASE)?)?,
            offset: data.number(uapi::payload::OFFSET)?,
            length: data.number(uapi::payload::LENGTH).filter(|it| *it <= REGISTERS)?,
        },
        "ct" => Load::Ct(CtKey(data.number(uapi::ct::KEY)?), direction(data)?),
        "fib" => Load::Fib {
            result: data.number(uapi::fib::RESULT)?,
            flags: data.number(uapi::fib::FLAGS)?,
        },
        _ => Load::Socket {
            key: data.number(uapi::socket::KEY)?,
            level: data.flags(uapi::socket::LEVEL),
        },
    })
}

fn store(what: Load) -> Option<Store> {
    match what {
        Load::Meta(key) => Some(Store::Meta(key)),
        Load::Ct(key, None) => Some(Store::Ct(key)),
        Load::Payload { base, offset, length } => Some(Store::Payload { base, offset, length }),
        Load::Ct(..) | Load::Fib { .. } | Load::Socket { .. } => None,
    }
}

/// `None` for a number that is not a direction.
fn direction(data: Data) -> Option<Option<FlowDirection>> {
    match data.0.nested().find(uapi::ct::DIRECTION).map(|direction| direction.payload) {
        None => Some(None),
        Some([0]) => Some(Some(FlowDirection::Original)),
        Some([1]) => Some(Some(FlowDirection::Reply)),
        Some(_) => None,
    }
}

fn payload_base(number: u32) -> Option<PayloadBase> {
    let bases =
        [PayloadBase::Link, PayloadBase::Network, PayloadBase::Transport, PayloadBase::Inner];
    bases.get(number as usize).copied()
}

fn bitwise(data: Data) -> Option<RulePart> {
    use uapi::bitwise::{DATA, DESTINATION, LENGTH, MASK, OPERATION, SOURCE, XOR};
    let bits = || Some(u32::from_ne_bytes(data.value(DATA)?.as_ref().try_into().ok()?));
    let operation = match data.flags(OPERATION) {
        0 => Arithmetic::Mask { mask: data.value(MASK)?, xor: data.value(XOR)? },
        1 => Arithmetic::ShiftLeft(bits()?),
        2 => Arithmetic::ShiftRight(bits()?),
        _ => return None,
    };
    compute(data, SOURCE, DESTINATION, LENGTH, operation)
}

fn byte_order(data: Data) -> Option<RulePart> {
    use uapi::byteorder::{DESTINATION, LENGTH, SIZE, SOURCE};
    let size = data.number(SIZE)? as usize;
    let operation = matches!(size, 2 | 4 | 8).then_some(Arithmetic::ByteOrder { size })?;
    compute(data, SOURCE, DESTINATION, LENGTH, operation)
}

fn compute(
    data: Data,
    source: u16,
    destination: u16,
    length: u16,
    operation: Arithmetic,
) -> Option<RulePart> {
    Some(RulePart::Compute {
        from: data.register(source)?,
        to: data.register(destination)?,
        length: data.number(length)? as usize,
        operation,
    })
}

fn compare(data: Data) -> Option<RulePart> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let comparisons = [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual];
    let operation = data.number(uapi::cmp::OPERATION)?;
    Some(RulePart::Compare {
        from: data.register(uapi::cmp::SOURCE)?,
        comparison: *comparisons.get(operation as usize)?,
        value: data.value(uapi::cmp::DATA)?,
    })
}

fn range(data: Data) -> Option<RulePart> {
    Some(RulePart::Range {
        from: data.register(uapi::range::SOURCE)?,
        negated: match data.number(uapi::range::OPERATION)? {
            0 => false,
            1 => true,
            _ => return None,
        },
        first: data.value(uapi::range::FROM)?,
        last: data.value(uapi::range::TO)?,
    })
}
