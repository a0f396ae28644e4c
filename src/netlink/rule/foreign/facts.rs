//! Foreign rules → the conditions and actions that Docker's rules have, whichever version of iptables
//! or nft wrote them. Anything else is recorded as unknown.

use super::container_port::container_port;
use super::translation::translation;
use super::words;
use crate::model::{
    Action, AddressMatch, Interface, IpVersion, Match, NftMatch, Ports, Protocol, RuleFacts,
};
use crate::netlink::attribute::Attributes;
use crate::netlink::rule::expression::{Expression, VerdictCode};
use crate::netlink::rule::header::AddressField;
use crate::netlink::rule::reader::{Rest, interface, loads_port, network, port};
use crate::netlink::rule::{iptables, nft};
use crate::netlink::uapi::cmp_operation::{EQ, GTE, LTE};
use crate::netlink::uapi::{meta_key, payload_base};

/// The offset of the protocol in the IPv4 header.
const IPV4_PROTOCOL: u32 = 9;
/// The loading of that protocol.
const PROTOCOL: Expression =
    Expression::Payload { base: payload_base::NETWORK, offset: IPV4_PROTOCOL, length: 1 };

/// The facts about the rule with these expressions and attributes.
pub fn facts(expressions: &[Expression], attributes: &Attributes, version: IpVersion) -> RuleFacts {
    let mut facts = RuleFacts::default();
    let mut rest = expressions;
    while let Some((first, behind)) = rest.split_first() {
        let read = facts
            .read_addresses(rest, version)
            .or_else(|| facts.read_comparison(rest))
            .or_else(|| facts.read_ongoing(rest));
        if read.is_none() {
            facts.read_one(first, version);
        }
        rest = read.unwrap_or(behind);
    }
    if facts.ports.is_none() && translation(expressions).is_some() {
        facts.unreadable = Some(words(expressions).into());
    }
    if facts.action == Some(Action::Translate) {
        facts.container_port = container_port(expressions, attributes);
    }
    facts
}

impl RuleFacts {
    /// `-s NETWORK`, `! -d NETWORK`
    fn read_addresses<'a>(&mut self, all: Rest<'a>, version: IpVersion) -> Option<Rest<'a>> {
        let slots = [
            (AddressField::source(version), &mut self.source),
            (AddressField::destination(version), &mut self.destination),
        ];
        for (field, slot) in slots {
            if let Some(((network, negated), rest)) = network(all, field) {
                self.has_unknown |= slot.replace(AddressMatch { network, negated }).is_some();
                return Some(rest);
            }
        }
        None
    }

    /// The loading of a field and its comparison.
    fn read_comparison<'a>(&mut self, all: Rest<'a>) -> Option<Rest<'a>> {
        let (read, rest) = match all {
            [loading, Expression::Range { from, to }, rest @ ..] if loads_port(loading) => {
                (self.read_ports(from, to), rest)
            }
            [
                loading,
                Expression::Compare { operation: GTE, data: first },
                Expression::Compare { operation: LTE, data: last },
                rest @ ..,
            ] if loads_port(loading) => (self.read_ports(first, last), rest),
            [loading, Expression::Compare { operation: EQ, data }, rest @ ..]
                if loads_port(loading) =>
            {
                (self.read_ports(data, data), rest)
            }
            [loading, Expression::Compare { operation: EQ, data }, rest @ ..]
                if matches!(loading, Expression::Meta(meta_key::L4PROTO))
                    || *loading == PROTOCOL =>
            {
                (self.read_protocol(data), rest)
            }
            [
                Expression::Meta(meta_key::IIFNAME),
                Expression::Compare { operation, data },
                rest @ ..,
            ] => (put(&mut self.in_interface, name(*operation, data)), rest),
            [
                Expression::Meta(meta_key::OIFNAME),
                Expression::Compare { operation, data },
                rest @ ..,
            ] => (put(&mut self.out_interface, name(*operation, data)), rest),
            _ => return None,
        };
        self.has_unknown |= read.is_none();
        Some(rest)
    }

    /// `ct state established,related`, as nft writes it.
    fn read_ongoing<'a>(&mut self, all: Rest<'a>) -> Option<Rest<'a>> {
        let (NftMatch::CtStateEstablished, rest) = nft::decode_match(all)? else { return None };
        self.is_ongoing = true;
        Some(rest)
    }

    fn read_one(&mut self, expression: &Expression, version: IpVersion) {
        let action = match expression {
            Expression::Counter { .. } => return,
            Expression::Match { name, revision, info } => {
                let read = self.read_match(name, *revision, info, version);
                self.has_unknown |= read.is_none();
                return;
            }
            // What an address or port is translated to.
            Expression::Other(name) if name == "immediate" => return,
            Expression::Target { name, .. } if name == "DNAT" => Action::Translate,
            Expression::Other(name) if name == "nat" || name == "redir" => Action::Translate,
            Expression::Verdict(VerdictCode::Accept) => Action::Accept,
            Expression::Verdict(VerdictCode::Drop) => Action::Drop,
            Expression::Target { name, .. } if name == "REJECT" => Action::Reject,
            Expression::RejectWithReset => Action::Reject,
            Expression::Other(name) if name == "reject" => Action::Reject,
            Expression::Verdict(VerdictCode::Return) => Action::Return,
            Expression::Verdict(VerdictCode::Jump(chain)) => Action::Jump(chain.as_ref().into()),
            _ => return self.has_unknown = true,
        };
        self.has_unknown |= self.action.replace(action).is_some();
    }

    /// `-m tcp --dport PORTS`, `-m conntrack --ctstate RELATED,ESTABLISHED`
    fn read_match(
        &mut self,
        name: &str,
        revision: u32,
        info: &[u8],
        version: IpVersion,
    ) -> Option<()> {
        if iptables::is_ongoing(name, revision, info) {
            self.is_ongoing = true;
            return Some(());
        }
        let read = iptables::decode_match(name, revision, info, version)?;
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
        let ports = Ports::new(protocol, port(first)?, port(last)?).ok();
        put(&mut self.ports, ports)
    }
}

/// Sets a value that is still missing; `None` if there is no new value, or there was one before.
fn put<T>(slot: &mut Option<T>, value: Option<T>) -> Option<()> {
    slot.replace(value?).is_none().then_some(())
}

/// An interface's name. nft pads it to sixteen bytes, and iptables ends it with one NUL; without a NUL
/// it is the beginning of a name.
fn name(operation: u32, data: &[u8]) -> Option<Interface> {
    let end = data.iter().position(|byte| *byte == 0).map_or(data.len(), |end| end + 1);
    interface(operation, data.get(..end)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::netlink::rule::decode_facts;

    proptest! {
        #[test]
        fn any_rule_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            for version in IpVersion::ALL {
                let _ = decode_facts(Attributes::new(&bytes), version);
            }
        }
    }
}
