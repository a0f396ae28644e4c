//! Attributes → expressions.

use std::borrow::Cow;

use super::{Expression, Field, Limit, VerdictCode};
use crate::netlink::attribute::Attribute;
use crate::netlink::uapi;

impl<'a> Expression<'a> {
    /// Reads an item of `NFTA_RULE_EXPRESSIONS`.
    pub fn read(element: Attribute<'a>) -> Expression<'a> {
        let name = element.nested().find(uapi::expression::NAME);
        let name = name.map_or(Cow::Borrowed("?"), |name| name.string());
        let known = element
            .nested()
            .find(uapi::expression::DATA)
            .and_then(|data| Expression::read_data(&name, data));
        known.unwrap_or(Expression::Other(name))
    }

    fn read_data(name: &str, data: Attribute<'a>) -> Option<Expression<'a>> {
        let number = |attribute| data.nested().find(attribute)?.be_u32();
        let uses_register = |attribute| number(attribute) == Some(uapi::REGISTER);
        let bytes = |attribute| {
            Some(data.nested().find(attribute)?.nested().find(uapi::data::VALUE)?.payload)
        };
        Some(match name {
            "meta" if uses_register(uapi::meta::DESTINATION) => {
                Expression::Meta(number(uapi::meta::KEY)?)
            }
            "meta" => Expression::Field {
                register: number(uapi::meta::DESTINATION)?,
                field: Field::Meta(number(uapi::meta::KEY)?),
            },
            "payload" if uses_register(uapi::payload::DESTINATION) => Expression::Payload {
                base: number(uapi::payload::BASE)?,
                offset: number(uapi::payload::OFFSET)?,
                length: number(uapi::payload::LENGTH)?,
            },
            "payload"
                if number(uapi::payload::SOURCE).is_none()
                    && number(uapi::payload::BASE) == Some(uapi::payload_base::TRANSPORT)
                    && number(uapi::payload::OFFSET) == Some(uapi::destination_port::OFFSET)
                    && number(uapi::payload::LENGTH) == Some(uapi::destination_port::LENGTH) =>
            {
                Expression::Field {
                    register: number(uapi::payload::DESTINATION)?,
                    field: Field::Port,
                }
            }
            "bitwise"
                if uses_register(uapi::bitwise::SOURCE)
                    && uses_register(uapi::bitwise::DESTINATION)
                    && number(uapi::bitwise::OPERATION).unwrap_or(0) == 0 =>
            {
                let (mask, xor) = (bytes(uapi::bitwise::MASK)?, bytes(uapi::bitwise::XOR)?);
                if mask.len() != xor.len() {
                    return None;
                }
                Expression::Bitwise { mask, xor }
            }
            "cmp" if uses_register(uapi::cmp::SOURCE) => Expression::Compare {
                operation: number(uapi::cmp::OPERATION)?,
                data: bytes(uapi::cmp::DATA)?,
            },
            "range"
                if uses_register(uapi::range::SOURCE)
                    && number(uapi::range::OPERATION) == Some(0) =>
            {
                Expression::Range { from: bytes(uapi::range::FROM)?, to: bytes(uapi::range::TO)? }
            }
            "match" => Expression::Match {
                name: data.nested().find(uapi::extension::NAME)?.string(),
                revision: number(uapi::extension::REVISION)?,
                info: data.nested().find(uapi::extension::INFO)?.payload,
            },
            "target" => Expression::Target {
                name: data.nested().find(uapi::extension::NAME)?.string(),
                revision: number(uapi::extension::REVISION)?,
                info: data.nested().find(uapi::extension::INFO)?.payload,
            },
            "counter" => Expression::Counter {
                packets: data.nested().find(uapi::counter::PACKETS)?.be_u64()?,
                bytes: data.nested().find(uapi::counter::BYTES)?.be_u64()?,
            },
            "fib"
                if uses_register(uapi::fib::DESTINATION)
                    && number(uapi::fib::RESULT) == Some(uapi::fib::RESULT_ADDRESS_TYPE)
                    && number(uapi::fib::FLAGS) == Some(uapi::fib::FLAG_DESTINATION) =>
            {
                Expression::FibDaddrType
            }
            "lookup"
                if uses_register(uapi::lookup::SOURCE)
                    && number(uapi::lookup::DESTINATION).is_none() =>
            {
                let set = data.nested().find(uapi::lookup::SET)?.string();
                match number(uapi::lookup::FLAGS).unwrap_or(0) {
                    0 => Expression::Lookup(set),
                    uapi::lookup::INVERTED => Expression::NegatedLookup(set),
                    _ => return None,
                }
            }
            "lookup"
                if uses_register(uapi::lookup::SOURCE)
                    && number(uapi::lookup::DESTINATION) == Some(uapi::VERDICT_REGISTER)
                    && number(uapi::lookup::FLAGS).unwrap_or(0) == 0 =>
            {
                Expression::VerdictLookup(data.nested().find(uapi::lookup::SET)?.string())
            }
            "byteorder" if is_host_to_network(data) => Expression::HostToNetwork,
            "dynset" => read_update(data)?,
            "limit" => Expression::Limit(read_limit(data)?),
            "log" => read_log(data)?,
            "socket" if uses_register(uapi::socket::DESTINATION) => Expression::Socket {
                key: number(uapi::socket::KEY)?,
                level: number(uapi::socket::LEVEL).unwrap_or(0),
            },
            "ct" if uses_register(uapi::ct::DESTINATION) => {
                let key = number(uapi::ct::KEY)?;
                match data.nested().find(uapi::ct::DIRECTION).map(|direction| direction.payload) {
                    None => Expression::Ct { key, set: false },
                    Some([uapi::ct::ORIGINAL]) => Expression::CtOriginal(key),
                    Some(_) => return None,
                }
            }
            "ct" if uses_register(uapi::ct::SOURCE) => {
                Expression::Ct { key: number(uapi::ct::KEY)?, set: true }
            }
            "ct" if number(uapi::ct::SOURCE).is_none()
                && data.nested().find(uapi::ct::DIRECTION)?.payload == [uapi::ct::ORIGINAL] =>
            {
                Expression::Field {
                    register: number(uapi::ct::DESTINATION)?,
                    field: Field::CtOriginal(number(uapi::ct::KEY)?),
                }
            }
            "reject" if number(uapi::reject::TYPE) == Some(uapi::reject::TCP_RESET) => {
                Expression::RejectWithReset
            }
            "immediate" if number(uapi::immediate::DESTINATION) == Some(0) => {
                Expression::Verdict(read_verdict(data)?)
            }
            "immediate" if uses_register(uapi::immediate::DESTINATION) => {
                Expression::Constant(bytes(uapi::immediate::DATA)?)
            }
            _ => return None,
        })
    }
}

/// Whether a byteorder expression turns the first eight bytes of the register from the host's order into
/// the network's.
fn is_host_to_network(data: Attribute) -> bool {
    use uapi::byteorder::{DESTINATION, HOST_TO_NETWORK, LENGTH, OPERATION, SIZE, SOURCE};
    [
        (SOURCE, uapi::REGISTER),
        (DESTINATION, uapi::REGISTER),
        (OPERATION, HOST_TO_NETWORK),
        (LENGTH, 8),
        (SIZE, 8),
    ]
    .into_iter()
    .all(|(attribute, value)| {
        data.nested().find(attribute).and_then(|number| number.be_u32()) == Some(value)
    })
}

/// A dynset expression that adds a key to the set, or restarts its timeout there, and evaluates at
/// most one expression.
fn read_update(data: Attribute<'_>) -> Option<Expression<'_>> {
    use uapi::dynset::{ADD, DATA, EXPRESSION, EXPRESSIONS, FLAGS, OPERATION, SET, SOURCE};
    use uapi::dynset::{TIMEOUT, UPDATE};
    let find = |attribute| data.nested().find(attribute);
    let number = |attribute| find(attribute).and_then(|number| number.be_u32());
    let is_other = number(SOURCE) != Some(uapi::REGISTER)
        || number(FLAGS).unwrap_or(0) != 0
        || [DATA, EXPRESSIONS].into_iter().any(|it| find(it).is_some());
    if is_other {
        return None;
    }
    let set = find(SET)?.string();
    // The kernel dumps 0 where there is none.
    let timeout = find(TIMEOUT).map(|timeout| timeout.be_u64()).filter(|it| *it != Some(0));
    let state = find(EXPRESSION).map(|state| {
        let name = state.nested().find(uapi::expression::NAME)?.string();
        Some((name, state.nested().find(uapi::expression::DATA)?))
    });
    Some(match (number(OPERATION)?, timeout, state) {
        (UPDATE, Some(timeout), None) => Expression::UpdateSet { set, timeout: timeout? },
        (UPDATE, Some(timeout), Some(state)) => {
            let (timeout, (name, state)) = (timeout?, state?);
            match &*name {
                "counter" => Expression::CountInSet { set, timeout },
                "limit" => Expression::LimitInSet { set, timeout, limit: read_limit(state)? },
                _ => return None,
            }
        }
        (ADD, None, Some(state)) => {
            let (name, state) = state?;
            let count = (name == "connlimit").then(|| read_connlimit(state)).flatten()?;
            Expression::ConnectionsInSet { set, count }
        }
        _ => return None,
    })
}

/// A limit of packets that lets through what is below it.
fn read_limit(data: Attribute) -> Option<Limit> {
    use uapi::limit::{BURST, FLAGS, RATE, TYPE, UNIT};
    let find = |attribute| data.nested().find(attribute);
    let is_zero = |attribute| find(attribute).is_none_or(|number| number.be_u32() == Some(0));
    let limit = Limit {
        rate: find(RATE)?.be_u64()?,
        unit: find(UNIT)?.be_u64()?,
        burst: find(BURST)?.be_u32()?,
    };
    [TYPE, FLAGS].into_iter().all(is_zero).then_some(limit)
}

/// The number of flows that are let through.
fn read_connlimit(data: Attribute) -> Option<u32> {
    use uapi::connlimit::{COUNT, FLAGS};
    let find = |attribute| data.nested().find(attribute);
    let flags = find(FLAGS).map_or(Some(0), |flags| flags.be_u32());
    find(COUNT)?.be_u32().filter(|_| flags == Some(0))
}

fn read_log(data: Attribute<'_>) -> Option<Expression<'_>> {
    use uapi::log::{FLAGS, GROUP, LEVEL, PREFIX, SNAPLEN, THRESHOLD};
    let find = |attribute| data.nested().find(attribute);
    if [FLAGS, SNAPLEN, THRESHOLD].into_iter().any(|attribute| find(attribute).is_some()) {
        return None;
    }
    let prefix = find(PREFIX)?.string();
    Some(match find(GROUP) {
        Some(group) => {
            let group = u16::from_be_bytes(group.payload.try_into().ok()?);
            Expression::LogToGroup { prefix, group }
        }
        None => Expression::LogToKernel { prefix, level: find(LEVEL)?.be_u32()? },
    })
}

fn read_verdict(data: Attribute<'_>) -> Option<VerdictCode<'_>> {
    use uapi::verdict_code as code;
    let verdict =
        data.nested().find(uapi::immediate::DATA)?.nested().find(uapi::data::VERDICT)?.nested();
    let chain = || Some(verdict.clone().find(uapi::verdict::CHAIN)?.string());
    Some(match verdict.clone().find(uapi::verdict::CODE)?.be_u32()?.cast_signed() {
        code::DROP => VerdictCode::Drop,
        code::ACCEPT => VerdictCode::Accept,
        code::RETURN => VerdictCode::Return,
        code::JUMP => VerdictCode::Jump(chain()?),
        code::GOTO => VerdictCode::Goto(chain()?),
        _ => return None,
    })
}
