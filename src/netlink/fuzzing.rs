//! Entry points that read one dumped object from any bytes.

#![allow(clippy::missing_panics_doc, clippy::panic)]

use super::attribute::{Attributes, put_nested};
use super::message::{Message, Messages};
use super::port_map::{DumpedTargets, decode_map, put_target};
use super::rule::{Expression, read_expressions};
use super::{
    BEGIN_SEQUENCE, Batch, DumpedElements, DumpedKernelElements, Refused, decode_address,
    decode_chain, decode_facts, decode_generation, decode_kernel_rule, decode_kernel_set,
    decode_link, decode_listener, decode_local_route, decode_refused, decode_rule, decode_set,
    decode_table, is_anonymous, uapi,
};
use crate::model::{
    ChainPath, Family, IpVersion, KernelRule, Position, Protocol, RefusalPath, RefusalSet,
    RuleContent, SetKind, TablePath,
};

/// The first byte selects the family of the rule, the others are its attributes. A known rule has
/// exactly the form in which it would be written.
pub fn rule(data: &[u8]) {
    let Some((family, attributes)) = data.split_first() else { return };
    let family = Family::ALL[usize::from(*family) % Family::ALL.len()];
    let _ = family.version().map(|it| decode_facts(Attributes::new(attributes), it));
    check_rule(Attributes::new(attributes), family);
}

/// The first byte selects the kind of object, the second the kind of set, the others are attributes.
pub fn object(data: &[u8]) {
    let [what, kind, attributes @ ..] = data else { return };
    let attributes = Attributes::new(attributes);
    match what % 8 {
        0 => drop(decode_table(attributes)),
        1 => drop(decode_chain(attributes)),
        2 => {
            drop((decode_set(attributes.clone()), decode_map(attributes.clone())));
            let _ = is_anonymous(attributes);
        }
        3 => drop(decode_generation(attributes)),
        4 => check_elements(attributes, *kind),
        5 => check_kernel_set(attributes),
        7 => check_targets(attributes),
        _ => read_refused(attributes, *kind),
    }
}

/// The first byte selects the requested protocol, the others are the messages of a dump. A listening
/// socket has a port, and an address of its family unless it is bound to any.
pub fn listener(data: &[u8]) {
    let Some((protocol, dump)) = data.split_first() else { return };
    let protocol = Protocol::ALL[usize::from(*protocol) % Protocol::ALL.len()];
    for listener in Messages::new(dump).filter_map(|it| decode_listener(it, protocol)) {
        assert!(listener.protocol == protocol && listener.port != 0, "{listener:?}");
        let is_of_family = |address| Family::from(IpVersion::of(address)) == listener.family;
        assert!(listener.address.is_none_or(is_of_family), "{listener:?}");
    }
}

/// The data are the messages of a dump of interfaces, of their addresses, or of routes.
pub fn link(data: &[u8]) {
    let read = |message: Message| {
        drop((decode_link(message), decode_address(message), decode_local_route(message)));
    };
    Messages::new(data).for_each(read);
}

/// The first byte selects the family, the others are rules of any program, each preceded by its length
/// in two bytes.
pub fn kernel_rules(data: &[u8]) -> Option<(Family, Vec<KernelRule>)> {
    let (family, mut rest) = data.split_first()?;
    let family = Family::ALL[usize::from(*family) % Family::ALL.len()];
    let mut rules = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(behind.len());
        let (attributes, behind) = behind.split_at(length);
        let rule = decode_kernel_rule(Attributes::new(attributes), family);
        rules.extend(rule.map(|(_, _, rule)| rule));
        rest = behind;
    }
    Some((family, rules))
}

/// The elements of a set of any program are sorted, unless it is concatenated.
fn check_kernel_set(attributes: Attributes) {
    let set = decode_kernel_set(attributes.clone());
    let mut elements = DumpedKernelElements::default();
    let Some(((_, mut set), ())) = set.zip(elements.read(attributes)) else { return };
    elements.fill(&mut set);
    assert!(set.elements.is_sorted_by(|a, b| a.first <= b.first), "{set:?}");
}

fn check_rule(attributes: Attributes, family: Family) {
    let Some((table, chain, installed)) = decode_rule(attributes.clone(), family) else { return };
    let shown = installed.content.to_string();
    let RuleContent::Known(rule) = installed.content else { return };
    let path = ChainPath { table: TablePath { family, table }, chain };
    let mut batch = Batch::new(1);
    batch.add_rule(&path, Position::Append, &rule);
    let batch = batch.finalize();
    let message = batch.message(BEGIN_SEQUENCE + 1).and_then(|bytes| Messages::new(bytes).next());
    let written = message.expect("a message").attributes();
    assert_eq!(expressions(&written), expressions(&attributes), "{shown}");
    assert_eq!(userdata(&written), userdata(&attributes), "{shown}");
}

/// The expressions, counters at zero.
fn expressions<'a>(attributes: &Attributes<'a>) -> Vec<Expression<'a>> {
    let mut expressions = read_expressions(attributes.clone());
    for expression in &mut expressions {
        if let Expression::Counter { packets, bytes } = expression {
            (*packets, *bytes) = (0, 0);
        }
    }
    expressions
}

fn userdata<'a>(attributes: &Attributes<'a>) -> Option<&'a [u8]> {
    attributes.clone().find(uapi::rule::USERDATA).map(|userdata| userdata.payload)
}

fn read_refused(attributes: Attributes, kind: u8) {
    let [v4, v6, ports] = RefusalSet::of(RefusalPath::PublishedPort);
    let set = [v4, v6, ports][usize::from(kind) % 3];
    let mut refused = Vec::new();
    decode_refused(attributes, set, &mut refused);
    assert!(refused.iter().all(|it| matches!(it, Refused::Port(_)) == set.version.is_none()));
}

/// Elements of a map are sorted, and none is reversed or overlaps another. They are read back as they are
/// written.
fn check_targets(attributes: Attributes) {
    let read = |attributes: Attributes| {
        let mut dumped = DumpedTargets::default();
        dumped.read(attributes).and_then(|()| dumped.into_targets())
    };
    let Some(targets) = read(attributes) else { return };
    assert!(targets.iter().all(|target| target.first <= target.last), "{targets:?}");
    assert!(targets.windows(2).all(|pair| pair[0].last < pair[1].first), "{targets:?}");
    let mut written = Vec::new();
    put_nested(&mut written, uapi::element_list::ELEMENTS | uapi::NESTED, |bytes| {
        targets.iter().for_each(|target| put_target(bytes, target));
    });
    // The length of an attribute has sixteen bits.
    if written.len() <= usize::from(u16::MAX) {
        assert_eq!(read(Attributes::new(&written)), Some(targets));
    }
}

/// Elements are sorted, and none is reversed or overlaps another.
fn check_elements(attributes: Attributes, kind: u8) {
    let version = IpVersion::ALL[usize::from(kind & 1)];
    let kind = match kind & 2 {
        0 => SetKind::Intervals { version },
        _ => SetKind::Hosts { version, capacity: 64 },
    };
    let mut dumped = DumpedElements::default();
    let read = dumped.read(attributes).and_then(|()| dumped.into_intervals(kind));
    let Some(elements) = read else { return };
    assert!(elements.iter().all(|element| element.first <= element.last), "{elements:?}");
    assert!(elements.windows(2).all(|pair| pair[0].last < pair[1].first), "{elements:?}");
}
