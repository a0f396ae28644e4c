//! The native expressions that iptables writes, in its words.

use ipnetwork::IpNetwork;

use super::super::key::MetaKey;
use super::super::part::{Arithmetic, Comparison, Load, PayloadBase, RulePart, Store};
use super::names;
use super::value::{address, masked_prefix};
use crate::model::IpVersion;
use crate::model::address_text::NetworkText;

/// What iptables writes natively.
pub enum Native {
    Source(String),
    Destination(String),
    InInterface(String),
    OutInterface(String),
    /// `! ` or nothing, and its name.
    Protocol(String, String),
    Fragment(String),
    Transport(TransportOption),
    Match(String),
    Trace,
}

/// An option of `-m tcp` or `-m udp`.
pub enum TransportOption {
    Source(String),
    Destination(String),
    Flags(String),
}

/// `-m tcp --sport … --dport … --tcp-flags …`, in this order.
pub struct TransportMatch {
    protocol: String,
    options: [Option<String>; 3],
}

impl TransportMatch {
    pub fn new(protocol: &str) -> TransportMatch {
        TransportMatch { protocol: protocol.to_owned(), options: [None, None, None] }
    }

    pub fn add(&mut self, option: TransportOption) -> Option<()> {
        let (index, text) = match option {
            TransportOption::Source(text) => (0, text),
            TransportOption::Destination(text) => (1, text),
            TransportOption::Flags(text) => (2, text),
        };
        self.options[index].replace(text).is_none().then_some(())
    }

    pub fn text(self) -> String {
        let protocol = format!("-m {}", self.protocol);
        let options = self.options.into_iter().flatten();
        std::iter::once(protocol).chain(options).collect::<Vec<_>>().join(" ")
    }
}

/// The expressions that a condition consists of: what is loaded, maybe masked, and compared.
struct Condition<'a> {
    load: Load,
    mask: Option<&'a [u8]>,
    first: &'a [u8],
    last: &'a [u8],
    negated: bool,
}

/// Reads what the expressions begin with, and returns those behind it.
pub fn read(parts: &[RulePart], version: IpVersion) -> Option<(Native, &[RulePart])> {
    if let [
        RulePart::Immediate { value, .. },
        RulePart::Store { what: Store::Meta(MetaKey::NFTRACE), .. },
        rest @ ..,
    ] = parts
    {
        return (value.first() == Some(&1)).then_some((Native::Trace, rest));
    }
    let (condition, rest) = condition(parts)?;
    Some((words(&condition, version)?, rest))
}

fn condition(parts: &[RulePart]) -> Option<(Condition<'_>, &[RulePart])> {
    let [RulePart::Load { what, .. }, rest @ ..] = parts else { return None };
    let (mask, rest) = match rest {
        [RulePart::Compute { operation: Arithmetic::Mask { mask, xor }, .. }, rest @ ..]
            if xor.iter().all(|byte| *byte == 0) =>
        {
            (Some(&**mask), rest)
        }
        _ => (None, rest),
    };
    let (first, last, negated, rest) = match rest {
        [RulePart::Compare { comparison: Comparison::Equal, value, .. }, rest @ ..] => {
            (value, value, false, rest)
        }
        [RulePart::Compare { comparison: Comparison::NotEqual, value, .. }, rest @ ..] => {
            (value, value, true, rest)
        }
        [
            RulePart::Compare { comparison: Comparison::GreaterOrEqual, value: first, .. },
            RulePart::Compare { comparison: Comparison::LessOrEqual, value: last, .. },
            rest @ ..,
        ] => (first, last, false, rest),
        [RulePart::Range { first, last, negated, .. }, rest @ ..] => (first, last, *negated, rest),
        _ => return None,
    };
    Some((Condition { load: *what, mask, first, last, negated }, rest))
}

fn words(condition: &Condition, version: IpVersion) -> Option<Native> {
    let Condition { load, mask, first, last, negated } = *condition;
    let invert = if negated { "! " } else { "" };
    let is_one = first == last;
    Some(match load {
        Load::Meta(MetaKey::IIFNAME) if is_one && mask.is_none() => {
            Native::InInterface(format!("{invert}-i {}", interface(first)?))
        }
        Load::Meta(MetaKey::OIFNAME) if is_one && mask.is_none() => {
            Native::OutInterface(format!("{invert}-o {}", interface(first)?))
        }
        Load::Meta(MetaKey::L4PROTO) if is_one && mask.is_none() => protocol(first, invert)?,
        Load::Meta(MetaKey::MARK) if is_one => mark(condition, invert)?,
        Load::Payload { base: PayloadBase::Network, offset: 9, length: 1 }
            if version == IpVersion::V4 && is_one && mask.is_none() =>
        {
            protocol(first, invert)?
        }
        Load::Payload { base: PayloadBase::Network, offset: 6, length: 2 }
            if version == IpVersion::V4 && mask == Some(&[0x1f, 0xff]) && first == [0, 0] =>
        {
            // Not equal to 0 is a fragment.
            Native::Fragment(if negated { "-f" } else { "! -f" }.to_owned())
        }
        Load::Payload { base: PayloadBase::Network, offset, .. } if is_one => {
            let network = network(condition, version)?;
            let text = NetworkText(&network);
            match (version, offset) {
                (IpVersion::V4, 12) | (IpVersion::V6, 8) => {
                    Native::Source(format!("{invert}-s {text}"))
                }
                (IpVersion::V4, 16) | (IpVersion::V6, 24) => {
                    Native::Destination(format!("{invert}-d {text}"))
                }
                _ => return None,
            }
        }
        Load::Payload { base: PayloadBase::Transport, offset, length } => {
            Native::Transport(transport(condition, (offset, length), invert)?)
        }
        _ => return None,
    })
}

/// An interface's name; without a NUL it is the beginning of one.
fn interface(name: &[u8]) -> Option<String> {
    let end = name.iter().position(|byte| *byte == 0);
    let text = std::str::from_utf8(&name[..end.unwrap_or(name.len())]).ok()?;
    Some(if end.is_some() { text.to_owned() } else { format!("{text}+") })
}

fn protocol(number: &[u8], invert: &str) -> Option<Native> {
    let [number] = number else { return None };
    let name = names::protocol(*number).map_or_else(|| number.to_string(), str::to_owned);
    Some(Native::Protocol(invert.to_owned(), name))
}

fn mark(condition: &Condition, invert: &str) -> Option<Native> {
    let number = |bytes: &[u8]| Some(u32::from_ne_bytes(bytes.try_into().ok()?));
    let value = number(condition.first)?;
    let mask = match condition.mask {
        Some(mask) => format!("/{:#x}", number(mask)?),
        None => String::new(),
    };
    Some(Native::Match(format!("-m mark {invert}--mark {value:#x}{mask}")))
}

/// The network of an address that is masked, or of which only leading bytes are compared.
fn network(condition: &Condition, version: IpVersion) -> Option<IpNetwork> {
    let prefix = match condition.mask {
        Some(mask) => masked_prefix(mask)?,
        None => u8::try_from(condition.first.len() * 8).ok()?,
    };
    IpNetwork::new(address(version, condition.first)?, prefix).ok()
}

fn transport(condition: &Condition, field: (u32, u32), invert: &str) -> Option<TransportOption> {
    let port = |bytes: &[u8]| Some(u16::from_be_bytes(bytes.try_into().ok()?));
    let ports = || {
        let (first, last) = (port(condition.first)?, port(condition.last)?);
        Some(if first == last { first.to_string() } else { format!("{first}:{last}") })
    };
    Some(match (field, condition.mask) {
        ((0, 2), None) => TransportOption::Source(format!("{invert}--sport {}", ports()?)),
        ((2, 2), None) => TransportOption::Destination(format!("{invert}--dport {}", ports()?)),
        ((13, 1), Some([mask])) => {
            let [value] = condition.first else { return None };
            let flags = format!("{} {}", tcp_flags(*mask), tcp_flags(*value));
            TransportOption::Flags(format!("{invert}--tcp-flags {flags}"))
        }
        _ => return None,
    })
}

/// `SYN,ACK`, `NONE`.
pub fn tcp_flags(flags: u8) -> String {
    let bits = names::TCP_FLAGS[..6].iter().enumerate().map(|(bit, name)| (1 << bit, *name));
    let set = names::bits(flags.into(), bits).join(",").to_uppercase();
    if set.is_empty() { "NONE".to_owned() } else { set }
}
