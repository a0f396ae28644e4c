//! An expression of a rule → what it does.

use super::data::Data;
use crate::model::kernel::{
    Lookup, NatOperands, NatTarget, Register, RulePart, RuleVerdict, Stateful, Update,
};
use crate::netlink::attribute::Attribute;
use crate::netlink::uapi;

/// Reads the data of an expression with this name.
pub fn read(name: &str, data: Data) -> Option<RulePart> {
    Some(match name {
        "immediate" => immediate(data)?,
        "lookup" => RulePart::Lookup(lookup(data)?),
        "dynset" => RulePart::Update(update(data)?),
        "nat" => nat(data)?,
        "masq" => masquerade(data),
        "redir" => redirect(data),
        "reject" => RulePart::Reject {
            kind: data.number(uapi::reject::TYPE)?,
            code: byte(data, uapi::reject::CODE).unwrap_or(0),
        },
        "queue" => RulePart::Verdict(RuleVerdict::Queue),
        "counter" => RulePart::Stateful(Stateful::Counter),
        "log" => RulePart::Stateful(log(data)),
        "limit" => RulePart::Stateful(limit(data)?),
        "connlimit" => RulePart::Stateful(connlimit(data)?),
        _ => return None,
    })
}

/// A constant, or a verdict in the register 0.
fn immediate(data: Data) -> Option<RulePart> {
    if data.number(uapi::immediate::DESTINATION) == Some(0) {
        let value = data.0.nested().find(uapi::immediate::DATA)?;
        return Some(RulePart::Verdict(verdict(value)?));
    }
    Some(RulePart::Immediate {
        to: data.register(uapi::immediate::DESTINATION)?,
        value: data.value(uapi::immediate::DATA)?,
    })
}

/// The bytes are `NFTA_DATA_*`.
pub fn verdict(data: Attribute) -> Option<RuleVerdict> {
    use uapi::verdict_code as code;
    let verdict = data.nested().find(uapi::data::VERDICT)?;
    let chain = || Some(verdict.nested().find(uapi::verdict::CHAIN)?.string().into());
    let number = verdict.nested().find(uapi::verdict::CODE)?.be_u32()?.cast_signed();
    Some(match number {
        code::DROP => RuleVerdict::Drop,
        code::ACCEPT => RuleVerdict::Accept,
        code::CONTINUE => RuleVerdict::Continue,
        code::RETURN => RuleVerdict::Return,
        code::JUMP => RuleVerdict::Jump(chain()?),
        code::GOTO => RuleVerdict::Goto(chain()?),
        // The number of the queue, or the errno of a drop, is in the high half.
        _ if number & 0xffff == code::QUEUE => RuleVerdict::Queue,
        _ if number & 0xffff == code::DROP => RuleVerdict::Drop,
        _ => return None,
    })
}

fn lookup(data: Data) -> Option<Lookup> {
    use uapi::lookup::{DESTINATION, FLAGS, SET, SOURCE};
    /// `NFT_LOOKUP_F_INV`.
    const INVERTED: u32 = 1;
    let to_verdict = data.number(DESTINATION) == Some(0);
    let to = match data.number(DESTINATION) {
        None | Some(0) => None,
        Some(_) => Some(data.register(DESTINATION)?),
    };
    Some(Lookup {
        set: data.string(SET)?.into(),
        content: None,
        from: data.register(SOURCE)?,
        to,
        to_verdict,
        negated: data.flags(FLAGS) & INVERTED != 0,
    })
}

fn update(data: Data) -> Option<Update> {
    use uapi::dynset::{DATA, EXPRESSION, EXPRESSIONS, FLAGS, OPERATION, SET, SOURCE, TIMEOUT};
    /// `NFT_DYNSET_F_INV`.
    const INVERTED: u32 = 1;
    let one = data.0.nested().find(EXPRESSION);
    let many = data.0.nested().find(EXPRESSIONS);
    let many = many.into_iter().flat_map(|list| list.nested());
    let part = |attribute: Attribute| {
        let name = attribute.nested().find(uapi::expression::NAME)?.string();
        let data = attribute.nested().find(uapi::expression::DATA).map(Data);
        let known = data.and_then(|data| element_state(&name, data));
        Some(known.unwrap_or_else(|| RulePart::Other(name.as_ref().into())))
    };
    Some(Update {
        set: data.string(SET)?.into(),
        from: data.register(SOURCE)?,
        operation: data.number(OPERATION)?,
        timeout: data.0.nested().find(TIMEOUT).and_then(|it| it.be_u64()).unwrap_or(0),
        negated: data.flags(FLAGS) & INVERTED != 0,
        expressions: one.into_iter().chain(many).filter_map(part).collect(),
        is_map: data.has(DATA),
    })
}

/// What an element of a set has of its own.
fn element_state(name: &str, data: Data) -> Option<RulePart> {
    Some(RulePart::Stateful(match name {
        "counter" => Stateful::Counter,
        "limit" => limit(data)?,
        "connlimit" => connlimit(data)?,
        _ => return None,
    }))
}

fn nat(data: Data) -> Option<RulePart> {
    use uapi::nat;
    let target = match data.number(nat::TYPE)? {
        0 => NatTarget::Source,
        nat::DESTINATION_NAT => NatTarget::Destination,
        _ => return None,
    };
    let operands = NatOperands {
        family: u8::try_from(data.number(nat::FAMILY)?).ok()?,
        address_first: data.register(nat::REGISTER_ADDRESS_MIN),
        address_last: data.register(nat::REGISTER_ADDRESS_MAX),
        flags: data.flags(nat::FLAGS),
        ..ports(data, nat::REGISTER_PORT_MIN, nat::REGISTER_PORT_MAX)
    };
    Some(RulePart::Nat { target, operands })
}

fn masquerade(data: Data) -> RulePart {
    use uapi::masquerade::{FLAGS, REGISTER_PORT_MAX, REGISTER_PORT_MIN};
    let ports = ports(data, REGISTER_PORT_MIN, REGISTER_PORT_MAX);
    let operands = NatOperands { flags: data.flags(FLAGS), ..ports };
    RulePart::Nat { target: NatTarget::Masquerade, operands }
}

fn redirect(data: Data) -> RulePart {
    use uapi::redirect::{FLAGS, REGISTER_PORT_MAX, REGISTER_PORT_MIN};
    let ports = ports(data, REGISTER_PORT_MIN, REGISTER_PORT_MAX);
    let operands = NatOperands { flags: data.flags(FLAGS), ..ports };
    RulePart::Nat { target: NatTarget::Redirect, operands }
}

fn ports(data: Data, first: u16, last: u16) -> NatOperands {
    let register = |attribute| -> Option<Register> { data.register(attribute) };
    NatOperands { port_first: register(first), port_last: register(last), ..NatOperands::default() }
}

fn log(data: Data) -> Stateful {
    use uapi::log::{FLAGS, GROUP, LEVEL, PREFIX, SNAPLEN, THRESHOLD};
    let short = |attribute| {
        let payload = data.0.nested().find(attribute)?.payload;
        Some(u16::from_be_bytes(payload.try_into().ok()?))
    };
    Stateful::Log {
        prefix: data.string(PREFIX).map(Into::into),
        group: short(GROUP),
        level: data.number(LEVEL),
        flags: data.flags(FLAGS),
        snaplen: data.number(SNAPLEN),
        threshold: short(THRESHOLD),
    }
}

fn limit(data: Data) -> Option<Stateful> {
    use uapi::limit::{BURST, FLAGS, RATE, TYPE, UNIT};
    Some(Stateful::Limit {
        rate: data.0.nested().find(RATE)?.be_u64()?,
        unit: data.0.nested().find(UNIT)?.be_u64()?,
        burst: data.flags(BURST),
        is_bytes: data.flags(TYPE) == 1,
        inverted: data.flags(FLAGS) & 1 != 0,
    })
}

fn connlimit(data: Data) -> Option<Stateful> {
    use uapi::connlimit::{COUNT, FLAGS};
    Some(Stateful::Connlimit { count: data.number(COUNT)?, inverted: data.flags(FLAGS) & 1 != 0 })
}

fn byte(data: Data, attribute: u16) -> Option<u8> {
    data.0.nested().find(attribute)?.payload.first().copied()
}
