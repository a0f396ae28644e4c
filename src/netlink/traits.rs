//! Rules that are somebody else's → as much as can be told of them, whichever version of iptables
//! or nft wrote them. What is not understood is passed over.

use super::attribute::Attributes;
use super::decode::{
    EQUAL, META_IN, META_OUT, META_PROTOCOL, NETWORK_HEADER, Reader, expressions, interface,
};
use super::encode::AddressFields;
use super::expression::{Code, Expression};
use super::native::{AT_LEAST, AT_MOST, PORT, read_port};
use super::xt;
use crate::ruleset::{Family, Interface, Match, Ports, Protocol, Traits};

/// Where the protocol stands in the IPv4 header.
const IPV4_PROTOCOL: u32 = 9;

/// What can be told of a rule. The bytes are the attributes of `NFT_MSG_NEWRULE`.
pub(crate) fn decode_traits(attributes: Attributes, family: Family) -> Traits {
    let expressions = expressions(attributes);
    let mut traits = Traits::default();
    let mut rest = expressions.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        let read = traits.read_destination(rest, family).or_else(|| traits.read_pair(rest));
        if read.is_none() {
            traits.read_one(first, family);
        }
        rest = read.unwrap_or(behind);
    }
    traits
}

type Rest<'a> = &'a [Expression<'a>];

impl Traits {
    /// `-d ADDRESS`
    fn read_destination<'a>(&mut self, all: Rest<'a>, family: Family) -> Option<Rest<'a>> {
        let mut reader = Reader::new(all, family);
        let field = AddressFields::new(family == Family::Ip).destination;
        self.destination = Some(reader.network(field)?);
        Some(reader.rest)
    }

    /// Something that is loaded, and what it is compared with.
    fn read_pair<'a>(&mut self, all: Rest<'a>) -> Option<Rest<'a>> {
        const PROTOCOL: Expression =
            Expression::Payload { base: NETWORK_HEADER, offset: IPV4_PROTOCOL, length: 1 };
        if let [loading, Expression::Range { from, to }, rest @ ..] = all
            && *loading == PORT
        {
            self.read_ports(from, to);
            return Some(rest);
        }
        let [loading, Expression::Compare { operation, data }, rest @ ..] = all else {
            return None;
        };
        match loading {
            Expression::Meta(META_IN) => self.in_interface = name(*operation, data),
            Expression::Meta(META_OUT) => self.out_interface = name(*operation, data),
            Expression::Meta(META_PROTOCOL) if *operation == EQUAL => self.read_protocol(data),
            loading if *loading == PROTOCOL && *operation == EQUAL => self.read_protocol(data),
            loading if *loading == PORT && *operation == EQUAL => self.read_ports(data, data),
            loading if *loading == PORT && *operation == AT_LEAST => {
                let [Expression::Compare { operation: AT_MOST, data: last }, ..] = rest else {
                    return Some(rest);
                };
                self.read_ports(data, last);
            }
            _ => {}
        }
        Some(rest)
    }

    fn read_one(&mut self, expression: &Expression, family: Family) {
        match expression {
            Expression::Match { name, revision, info } => {
                if let Some(Match::DestinationPorts(ports)) =
                    xt::decode(name, *revision, info, family == Family::Ip)
                {
                    self.ports = Some(ports);
                }
            }
            Expression::Target { name, .. } => self.translates |= name == "DNAT",
            Expression::Other(name) => self.translates |= name == "nat",
            Expression::Verdict(Code::Accept) => self.accepts = true,
            _ => {}
        }
    }

    fn read_protocol(&mut self, data: &[u8]) {
        self.protocol = data.first().copied();
    }

    fn read_ports(&mut self, first: &[u8], last: &[u8]) {
        let protocol = self.protocol.and_then(Protocol::from_number);
        self.ports = protocol
            .zip(read_port(first).zip(read_port(last)))
            .and_then(|(protocol, (first, last))| Ports::new(protocol, first, last));
    }
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
                let _ = decode_traits(Attributes::new(&bytes), family);
            }
        }
    }
}
