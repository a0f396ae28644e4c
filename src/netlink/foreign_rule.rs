//! Foreign rules → as much as Docker's rules have words for, whichever version of iptables or nft
//! wrote them. What is not understood is noted as such.

use super::attribute::Attributes;
use super::condition;
use super::decode::{
    EQUAL, META_IN, META_OUT, META_PROTOCOL, NETWORK_HEADER, Reader, expressions, interface,
};
use super::encode::AddressFields;
use super::expression::{Expression, VerdictCode};
use super::native::{AT_LEAST, AT_MOST, PORT, read_port};
use super::translation::translation;
use super::xt;
use crate::model::{
    Action, AddressMatch, Family, Interface, Match, NftMatch, Ports, Protocol, RuleFacts,
};

/// Where the protocol stands in the IPv4 header.
const IPV4_PROTOCOL: u32 = 9;
/// The loading of that protocol.
const PROTOCOL: Expression =
    Expression::Payload { base: NETWORK_HEADER, offset: IPV4_PROTOCOL, length: 1 };

/// What can be told of a rule. The bytes are the attributes of `NFT_MSG_NEWRULE`.
pub(crate) fn decode_facts(attributes: Attributes, family: Family) -> RuleFacts {
    let expressions = expressions(attributes);
    let mut facts = RuleFacts::default();
    let mut rest = expressions.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        let read = facts
            .read_addresses(rest, family)
            .or_else(|| facts.read_comparison(rest))
            .or_else(|| facts.read_ongoing(rest));
        if read.is_none() {
            facts.read_one(first, family);
        }
        rest = read.unwrap_or(behind);
    }
    if facts.ports.is_none() && translation(&expressions).is_some() {
        let words: Vec<String> = expressions.iter().map(Expression::to_string).collect();
        facts.unreadable = Some(words.join(" ").into());
    }
    facts
}

type Rest<'a> = &'a [Expression<'a>];

impl RuleFacts {
    /// `-s NETWORK`, `! -d NETWORK`
    fn read_addresses<'a>(&mut self, all: Rest<'a>, family: Family) -> Option<Rest<'a>> {
        let fields = AddressFields::new(family == Family::Ip);
        let slots =
            [(fields.source, &mut self.source), (fields.destination, &mut self.destination)];
        for (field, slot) in slots {
            let mut reader = Reader::new(all, family);
            if let Some((network, negated)) = reader.compared_network(field) {
                self.has_unknown |= slot.replace(AddressMatch { network, negated }).is_some();
                return Some(reader.rest);
            }
        }
        None
    }

    /// Something that is loaded, and what it is compared with.
    fn read_comparison<'a>(&mut self, all: Rest<'a>) -> Option<Rest<'a>> {
        let (read, rest) = match all {
            [loading, Expression::Range { from, to }, rest @ ..] if *loading == PORT => {
                (self.read_ports(from, to), rest)
            }
            [
                loading,
                Expression::Compare { operation: AT_LEAST, data: first },
                Expression::Compare { operation: AT_MOST, data: last },
                rest @ ..,
            ] if *loading == PORT => (self.read_ports(first, last), rest),
            [loading, Expression::Compare { operation: EQUAL, data }, rest @ ..]
                if *loading == PORT =>
            {
                (self.read_ports(data, data), rest)
            }
            [loading, Expression::Compare { operation: EQUAL, data }, rest @ ..]
                if matches!(loading, Expression::Meta(META_PROTOCOL)) || *loading == PROTOCOL =>
            {
                (self.read_protocol(data), rest)
            }
            [Expression::Meta(META_IN), Expression::Compare { operation, data }, rest @ ..] => {
                (put(&mut self.in_interface, name(*operation, data)), rest)
            }
            [Expression::Meta(META_OUT), Expression::Compare { operation, data }, rest @ ..] => {
                (put(&mut self.out_interface, name(*operation, data)), rest)
            }
            _ => return None,
        };
        self.has_unknown |= read.is_none();
        Some(rest)
    }

    /// `ct state established,related`, as nft writes it.
    fn read_ongoing<'a>(&mut self, all: Rest<'a>) -> Option<Rest<'a>> {
        let (NftMatch::CtStateEstablished, rest) = condition::read(all)? else { return None };
        self.is_ongoing = true;
        Some(rest)
    }

    fn read_one(&mut self, expression: &Expression, family: Family) {
        let action = match expression {
            Expression::Counter { .. } => return,
            Expression::Match { name, revision, info } => {
                let read = self.read_match(name, *revision, info, family);
                self.has_unknown |= read.is_none();
                return;
            }
            // What an address or port is translated to.
            Expression::Other(name) if name == "immediate" => return,
            Expression::Target { name, .. } if name == "DNAT" => Action::Translate,
            Expression::Other(name) if name == "nat" || name == "redir" => Action::Translate,
            Expression::Verdict(VerdictCode::Accept) => Action::Accept,
            Expression::Verdict(VerdictCode::Drop) => Action::Drop,
            Expression::Verdict(VerdictCode::Return) => Action::Return,
            Expression::Verdict(VerdictCode::Jump(chain)) => Action::Jump(chain.as_ref().into()),
            _ => return self.has_unknown = true,
        };
        self.has_unknown |= self.action.replace(action).is_some();
    }

    /// `-m tcp --dport PORTS`, `-m conntrack --ctstate RELATED,ESTABLISHED`
    fn read_match(&mut self, name: &str, revision: u32, info: &[u8], family: Family) -> Option<()> {
        if xt::is_ongoing(name, revision, info) {
            self.is_ongoing = true;
            return Some(());
        }
        let read = xt::decode(name, revision, info, family == Family::Ip)?;
        let Match::DestinationPorts(ports) = read else { return None };
        let is_of_protocol = self.protocol == Some(ports.protocol().number());
        put(&mut self.ports, Some(ports)).filter(|()| is_of_protocol)
    }

    fn read_protocol(&mut self, data: &[u8]) -> Option<()> {
        let [protocol] = data else { return None };
        put(&mut self.protocol, Some(*protocol))
    }

    fn read_ports(&mut self, first: &[u8], last: &[u8]) -> Option<()> {
        let protocol = self.protocol.and_then(Protocol::from_number)?;
        let ports = Ports::new(protocol, read_port(first)?, read_port(last)?).ok();
        put(&mut self.ports, ports)
    }
}

/// Puts a value where there is none yet; `None` if there is no value or there was one.
fn put<T>(slot: &mut Option<T>, value: Option<T>) -> Option<()> {
    slot.replace(value?).is_none().then_some(())
}

/// The name that nft fills up to sixteen bytes and iptables ends with one NUL; one without is a
/// name's beginning.
fn name(operation: u32, data: &[u8]) -> Option<Interface> {
    let end = data.iter().position(|byte| *byte == 0).map_or(data.len(), |end| end + 1);
    interface(operation, data.get(..end)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_rule_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            for family in Family::ALL {
                let _ = decode_facts(Attributes::new(&bytes), family);
            }
        }
    }
}
