//! A rule in nft's words: each register is followed to where its value is compared or used.

use super::super::part::{
    Arithmetic, Comparison, Load, Lookup, NatOperands, NatTarget, Register, RulePart, Store, Update,
};
use super::super::set::{ElementData, KernelElement, KernelSet};
use super::selector::{Context, Implied, Selector, selector};
use super::value::{self, Kind};
use super::{statement, xt_match, xt_target};
use crate::model::{Family, IpVersion};

/// `NFT_REJECT_ICMP_UNREACH`.
const ICMP_UNREACHABLE: u32 = 0;

/// What a register holds.
#[derive(Clone)]
struct Content {
    /// When it was loaded: the fields of a concatenated key are loaded one after the other.
    order: usize,
    /// Length in words of four bytes.
    words: usize,
    what: What,
}

#[derive(Clone)]
enum What {
    /// Something about the packet, with bits that are kept and flipped.
    Selected { selector: Selector, mask: Option<Box<[u8]>>, xor: Box<[u8]> },
    /// A constant.
    Constant(Box<[u8]>),
    /// What a map has for a key.
    Mapped { key: String, kinds: Vec<Kind>, lookup: Lookup },
    /// Anything else.
    Unknown(String),
}

struct Rule {
    family: Family,
    words: Vec<String>,
    registers: [Option<Content>; 16],
    loads: usize,
    context: Context,
    /// Where in `words` the conditions are that say the version of IP and the transport protocol.
    version_at: Option<usize>,
    transport_at: Option<usize>,
    /// A comparison that may be the beginning of a range.
    range: Option<(Register, Box<[u8]>)>,
}

/// A rule as `nft list ruleset` prints it, without its counters.
pub fn words(family: Family, parts: &[RulePart]) -> String {
    let mut rule = Rule {
        family,
        words: Vec::new(),
        registers: std::array::from_fn(|_| None),
        loads: 0,
        context: Context { version: family.version(), transport: None },
        version_at: None,
        transport_at: None,
        range: None,
    };
    parts.iter().for_each(|part| rule.add(part));
    rule.end_range();
    let words = rule.words.into_iter().filter(|word| !word.is_empty());
    words.collect::<Vec<String>>().join(" ")
}

impl Rule {
    fn add(&mut self, part: &RulePart) {
        if !matches!(part, RulePart::Compare { .. }) {
            self.end_range();
        }
        match part {
            RulePart::Load { to, what } => self.load(*to, *what),
            RulePart::Immediate { to, value } => {
                self.put(*to, value.len(), What::Constant(value.clone()));
            }
            RulePart::Compute { from, to, length, operation } => {
                self.compute(*from, *to, *length, operation);
            }
            RulePart::Compare { from, comparison, value } => {
                self.compare(*from, *comparison, value)
            }
            RulePart::Range { from, negated, first, last } => {
                let (text, kind) = self.operand(*from);
                let operator = if *negated { "!= " } else { "" };
                self.words.push(format!("{text} {operator}{}", value::range(kind, first, last)));
            }
            RulePart::Lookup(lookup) => self.look_up(lookup),
            RulePart::Store { from, what } => self.store(*from, *what),
            RulePart::Nat { target, operands } => self.nat(*target, operands),
            RulePart::Update(update) => self.update(update),
            RulePart::Verdict(verdict) => self.words.push(statement::verdict(verdict)),
            RulePart::Reject { kind, code } => {
                if *kind == ICMP_UNREACHABLE {
                    self.imply_version();
                }
                self.words.push(statement::reject(self.family, self.context.version, *kind, *code));
            }
            RulePart::Notrack => self.words.push("notrack".to_owned()),
            RulePart::Stateful(stateful) => self.words.push(statement::stateful(stateful)),
            RulePart::Match(extension) => self.words.push(xt_match::words(extension)),
            RulePart::Target(target) => {
                let version = self.family.version().unwrap_or(IpVersion::V4);
                self.words.push(xt_target::words(target, version));
            }
            RulePart::Other(name) => self.words.push(format!("[{name}]")),
        }
    }

    fn put(&mut self, to: Register, bytes: usize, what: What) {
        self.loads += 1;
        let content = Content { order: self.loads, words: bytes.div_ceil(4).max(1), what };
        if let Some(slot) = self.registers.get_mut(usize::from(to.0)) {
            *slot = Some(content);
        }
    }

    fn get(&self, from: Register) -> Option<&Content> {
        self.registers.get(usize::from(from.0))?.as_ref()
    }

    fn load(&mut self, to: Register, load: Load) {
        let selector = selector(load, self.context);
        if matches!(selector.implies, Implied::Version | Implied::Both) {
            self.imply_version();
        }
        if matches!(selector.implies, Implied::Transport | Implied::Both) {
            let at = self.transport_at.take();
            self.leave_out(at);
        }
        let length = match (load, selector.kind) {
            (Load::Payload { length, .. }, _) => length as usize,
            (_, Kind::Address(version)) => version.address_bytes(),
            (_, Kind::InterfaceName) => 16,
            _ => 4,
        };
        self.put(to, length, What::Selected { selector, mask: None, xor: Box::default() });
    }

    /// Leaves out the condition on the version of IP, which the next words imply.
    fn imply_version(&mut self) {
        let at = self.version_at.take();
        self.leave_out(at);
    }

    fn leave_out(&mut self, at: Option<usize>) {
        if let Some(word) = at.and_then(|index| self.words.get_mut(index)) {
            word.clear();
        }
    }

    fn compute(&mut self, from: Register, to: Register, length: usize, operation: &Arithmetic) {
        let content = self.get(from).map(|content| content.what.clone());
        let what = match (content, operation) {
            (Some(What::Selected { selector, mask: None, .. }), Arithmetic::Mask { mask, xor }) => {
                What::Selected { selector, mask: Some(mask.clone()), xor: xor.clone() }
            }
            (Some(What::Selected { mut selector, mask, xor }), Arithmetic::ByteOrder { .. }) => {
                selector.kind = selector.kind.in_network_order();
                What::Selected { selector, mask, xor }
            }
            (Some(What::Selected { selector, .. }), Arithmetic::ShiftLeft(bits)) => {
                What::Unknown(format!("{} << {bits}", selector.text))
            }
            (Some(What::Selected { selector, .. }), Arithmetic::ShiftRight(bits)) => {
                What::Unknown(format!("{} >> {bits}", selector.text))
            }
            _ => What::Unknown("[bitwise]".to_owned()),
        };
        let order = self.get(from).map(|content| content.order);
        self.put(to, length, what);
        if let (Some(order), Some(Some(content))) =
            (order, self.registers.get_mut(usize::from(to.0)))
        {
            content.order = order;
        }
    }

    /// What a register holds in words, with the type of its values.
    fn operand(&self, from: Register) -> (String, Kind) {
        match self.get(from).map(|content| &content.what) {
            Some(What::Selected { selector, mask, xor }) => {
                let computed = mask.as_ref().map(|mask| computed(selector.kind, mask, xor));
                (selector.text.clone() + &computed.unwrap_or_default(), selector.kind)
            }
            Some(What::Unknown(text)) => (text.clone(), Kind::Number),
            Some(What::Mapped { key, lookup, .. }) => {
                (format!("{key} map @{}", lookup.set), Kind::Number)
            }
            Some(What::Constant(bytes)) => (value::text(Kind::Number, bytes), Kind::Number),
            None => ("[?]".to_owned(), Kind::Number),
        }
    }

    fn compare(&mut self, from: Register, comparison: Comparison, with: &[u8]) {
        if let Some((register, first)) = self.range.take() {
            let (text, kind) = self.operand(from);
            if register == from && comparison == Comparison::LessOrEqual {
                self.words.push(format!("{text} {}", value::range(kind, &first, with)));
                return;
            }
            self.words.push(format!("{text} >= {}", value::text(kind, &first)));
        }
        if comparison == Comparison::GreaterOrEqual {
            self.range = Some((from, with.into()));
            return;
        }
        self.note_context(from, comparison, with);
        let condition = self.condition(from, comparison, with);
        self.words.push(condition);
    }

    /// A comparison that no other one completes to a range.
    fn end_range(&mut self) {
        if let Some((register, first)) = self.range.take() {
            let (text, kind) = self.operand(register);
            self.words.push(format!("{text} >= {}", value::text(kind, &first)));
        }
    }

    fn condition(&self, from: Register, comparison: Comparison, with: &[u8]) -> String {
        let masked = match self.get(from).map(|content| &content.what) {
            Some(What::Selected { selector, mask: Some(mask), xor }) if is_zero(xor) => {
                masked_condition(selector, mask, comparison, with)
            }
            Some(What::Selected { selector, mask: None, .. }) => {
                leading_bytes(selector, comparison, with)
            }
            _ => None,
        };
        masked.unwrap_or_else(|| {
            let (text, kind) = self.operand(from);
            format!("{text} {}{}", operator(comparison), value::text(kind, with))
        })
    }

    /// Remembers what a condition says about the headers behind it.
    fn note_context(&mut self, from: Register, comparison: Comparison, with: &[u8]) {
        let Some(What::Selected { selector, mask: None, .. }) =
            self.get(from).map(|content| &content.what)
        else {
            return;
        };
        if comparison != Comparison::Equal {
            return;
        }
        let number = u32::try_from(value::number(selector.kind, with)).unwrap_or(0);
        let at = Some(self.words.len());
        match selector.kind {
            Kind::L4Protocol if !selector.text.starts_with("ct") => {
                self.context.transport = u8::try_from(number).ok();
                self.transport_at = at;
            }
            Kind::NfProtocol | Kind::EtherType if !selector.text.starts_with("ct") => {
                self.context.version = match number {
                    2 | 0x0800 => Some(IpVersion::V4),
                    10 | 0x86dd => Some(IpVersion::V6),
                    _ => return,
                };
                self.version_at = at;
            }
            _ => {}
        }
    }

    /// The words and types of a key's fields.
    fn key(&self, from: Register) -> (String, Vec<Kind>) {
        let mut texts = Vec::new();
        let mut kinds = Vec::new();
        let mut at = from;
        let mut order = None;
        while let Some(content) = self.get(at) {
            if order.is_some_and(|order| content.order != order + 1) {
                break;
            }
            let (text, kind) = self.operand(at);
            texts.push(text);
            kinds.push(kind);
            order = Some(content.order);
            at = Register(at.0.saturating_add(u8::try_from(content.words).unwrap_or(16)));
        }
        (texts.join(" . "), kinds)
    }

    fn look_up(&mut self, lookup: &Lookup) {
        let (key, kinds) = self.key(lookup.from);
        if let Some(to) = lookup.to {
            return self.put(to, 4, What::Mapped { key, kinds, lookup: lookup.clone() });
        }
        let set = set_words(lookup, &kinds, &[]);
        let operator = match (lookup.to_verdict, lookup.negated) {
            (true, _) => "vmap ",
            (false, true) => "!= ",
            (false, false) => "",
        };
        self.words.push(format!("{key} {operator}{set}"));
    }

    /// A value that is set or translated to, of these types.
    fn used(&self, from: Register, kinds: &[Kind]) -> String {
        match self.get(from).map(|content| &content.what) {
            Some(What::Constant(bytes)) => {
                let bytes = bytes.get(..width(kinds[0])).unwrap_or(bytes);
                value::text(kinds[0], bytes)
            }
            Some(What::Mapped { key, kinds: keys, lookup }) => {
                format!("{key} map {}", set_words(lookup, keys, kinds))
            }
            _ => self.operand(from).0,
        }
    }

    fn store(&mut self, from: Register, what: Store) {
        let (target, kind) = match what {
            Store::Meta(key) => {
                let Selector { text, kind, .. } = selector(Load::Meta(key), self.context);
                (text, kind)
            }
            Store::Ct(key) => {
                let Selector { text, kind, .. } = selector(Load::Ct(key, None), self.context);
                (text, kind)
            }
            Store::Payload { base, offset, length } => {
                let load = Load::Payload { base, offset, length };
                let Selector { text, kind, .. } = selector(load, self.context);
                (text, kind)
            }
        };
        let value = self.used(from, &[kind]);
        self.words.push(format!("{target} set {value}"));
    }

    fn nat(&mut self, target: NatTarget, operands: &NatOperands) {
        let version =
            if operands.family == libc::NFPROTO_IPV6 as u8 { IpVersion::V6 } else { IpVersion::V4 };
        let address = Kind::Address(version);
        let is_map = |register: Register| {
            matches!(self.get(register).map(|content| &content.what), Some(What::Mapped { .. }))
        };
        let ports = |separator: &str| {
            let first = self.used(operands.port_first?, &[Kind::Port]);
            let last = operands.port_last.filter(|last| operands.port_first != Some(*last));
            let last = last.map(|last| format!("-{}", self.used(last, &[Kind::Port])));
            Some(format!("{separator}{first}{}", last.unwrap_or_default()))
        };
        let to = match operands.address_first {
            // The map has the port behind the address.
            Some(first) if is_map(first) && operands.port_first.is_some() => {
                self.used(first, &[address, Kind::Port])
            }
            Some(first) if is_map(first) => self.used(first, &[address]),
            Some(first) => {
                let text = self.used(first, &[address]);
                let last = operands.address_last.filter(|last| *last != first);
                let last = last.map(|last| format!("-{}", self.used(last, &[address])));
                let is_bracketed = version == IpVersion::V6 && operands.port_first.is_some();
                let text = if is_bracketed { format!("[{text}]") } else { text };
                text + &last.unwrap_or_default() + &ports(":").unwrap_or_default()
            }
            None => ports(":").unwrap_or_default(),
        };
        let has_address = operands.address_first.is_some();
        let names_family = self.family == Family::Inet && has_address;
        self.words.push(statement::nat(
            target,
            names_family.then_some(version),
            &to,
            operands.flags,
        ));
    }

    fn update(&mut self, update: &Update) {
        let (key, _) = self.key(update.from);
        self.words.push(statement::update(update, &key));
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "",
        Comparison::NotEqual => "!= ",
        Comparison::Less => "< ",
        Comparison::LessOrEqual => "<= ",
        Comparison::Greater => "> ",
        Comparison::GreaterOrEqual => ">= ",
    }
}

/// Length of a value in bytes.
fn width(kind: Kind) -> usize {
    match kind {
        Kind::Address(version) => version.address_bytes(),
        Kind::Port => 2,
        _ => 4,
    }
}

/// ` & 0x0000000f`, ` | 0x00000001`: what is kept, flipped and set, as nft computes it.
fn computed(kind: Kind, mask: &[u8], xor: &[u8]) -> String {
    let set: Vec<u8> = mask.iter().zip(xor).map(|(mask, xor)| !mask & xor).collect();
    let kept: Vec<u8> = mask.iter().zip(&set).map(|(mask, set)| mask | set).collect();
    let flipped: Vec<u8> = xor.iter().zip(&set).map(|(xor, set)| xor ^ set).collect();
    let text = |bytes: &[u8]| match kind {
        Kind::Address(_) | Kind::Mark => value::text(kind, bytes),
        _ => format!("{:#x}", value::number(kind, bytes)),
    };
    let mut words = String::new();
    if kept.iter().any(|byte| *byte != 0xff) {
        words += &format!(" & {}", text(&kept));
    }
    if !is_zero(&flipped) {
        words += &format!(" ^ {}", text(&flipped));
    }
    if !is_zero(&set) {
        words += &format!(" | {}", text(&set));
    }
    words
}

/// A comparison of masked bits that nft has short words for.
fn masked_condition(
    selector: &Selector,
    mask: &[u8],
    comparison: Comparison,
    with: &[u8],
) -> Option<String> {
    let Selector { text, kind, .. } = selector;
    let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    if let (Kind::Address(version), true) = (kind, is_equality)
        && let Some(prefix) = value::masked_prefix(mask)
    {
        let address = value::address(*version, with)?;
        return Some(format!("{text} {}{address}/{prefix}", operator(comparison)));
    }
    if kind.is_flags() {
        let bits = value::text(*kind, mask);
        return Some(match comparison {
            Comparison::NotEqual if is_zero(with) => format!("{text} {bits}"),
            Comparison::Equal if is_zero(with) => format!("{text} ! {bits}"),
            Comparison::Equal | Comparison::NotEqual => {
                let flags = value::text(*kind, with);
                format!("{text} {}{flags} / {bits}", operator(comparison))
            }
            _ => return None,
        });
    }
    let operator = if comparison == Comparison::Equal { "== " } else { operator(comparison) };
    let masked = computed(*kind, mask, &vec![0; mask.len()]);
    Some(format!("{text}{masked} {operator}{}", value::text(*kind, with)))
}

/// A comparison of an address's leading bytes: a network.
fn leading_bytes(selector: &Selector, comparison: Comparison, with: &[u8]) -> Option<String> {
    let Kind::Address(version) = selector.kind else { return None };
    if with.len() >= version.address_bytes() {
        return None;
    }
    let address = value::address(version, with)?;
    let prefix = with.len() * 8;
    Some(format!("{} {}{address}/{prefix}", selector.text, operator(comparison)))
}

/// `@SET`, or the elements of a set that is part of the rule.
fn set_words(lookup: &Lookup, keys: &[Kind], values: &[Kind]) -> String {
    let Some(set) = &lookup.content else { return format!("@{}", lookup.set) };
    let mut elements: Vec<&KernelElement> = set.elements.iter().collect();
    if let [kind] = keys
        && kind.is_host_order()
    {
        elements.sort_by_key(|element| value::number(*kind, &element.first));
    }
    let mut words: Vec<String> = elements
        .iter()
        .map(|element| element_words(element, set, keys) + &data_words(&element.data, values))
        .collect();
    words.extend(set.catch_all.as_ref().map(|data| format!("*{}", data_words(data, values))));
    format!("{{ {} }}", words.join(", "))
}

fn element_words(element: &KernelElement, set: &KernelSet, keys: &[Kind]) -> String {
    if keys.len() <= 1 {
        let kind = keys.first().copied().unwrap_or(Kind::Number);
        return value::range(kind, &element.first, &element.last);
    }
    let mut offset = 0;
    let mut fields = Vec::new();
    for (index, kind) in keys.iter().enumerate() {
        let length = set.fields.get(index).filter(|_| set.fields.len() > 1);
        let length = length.copied().unwrap_or_else(|| width(*kind));
        let field = offset..offset + length;
        if let (Some(first), Some(last)) =
            (element.first.get(field.clone()), element.last.get(field))
        {
            fields.push(value::range(*kind, first, last));
        }
        offset += length.next_multiple_of(4);
    }
    fields.join(" . ")
}

/// ` : VALUE` of a map's element.
fn data_words(data: &ElementData, kinds: &[Kind]) -> String {
    match data {
        ElementData::None => String::new(),
        ElementData::Verdict(verdict) => format!(" : {}", statement::verdict(verdict)),
        ElementData::Unknown => " : [?]".to_owned(),
        ElementData::Value(bytes) => {
            let mut offset = 0;
            let mut fields = Vec::new();
            for kind in kinds {
                let field = bytes.get(offset..offset + width(*kind)).unwrap_or_default();
                fields.push(value::text(*kind, field));
                offset += width(*kind).next_multiple_of(4);
            }
            format!(" : {}", fields.join(" . "))
        }
    }
}
