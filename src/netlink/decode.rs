//! Dumped messages → what the kernel holds. A rule of exactly the form that dwnl writes becomes a
//! `Rule`; any other is kept as its expressions.

use std::net::IpAddr;
use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::attribute::{Attribute, Attributes};
use super::batch::{COMMENT, USERDATA_TAG};
use super::encode::AddressFields;
use super::expression::{Expression, VerdictCode};
use super::translation::translation;
use super::{uapi, xt};
use crate::model::{
    Family, INTERFACE_NAME_MAX, InstalledChain, InstalledRule, InstalledTable, Interface, Name,
    Protocol, Rule, RuleContent, Verdict,
};

/// `NFT_META_IIFNAME` and `NFT_META_OIFNAME`.
pub(super) const META_IN: u32 = 6;
pub(super) const META_OUT: u32 = 7;
/// `NFT_META_L4PROTO`.
pub(super) const META_PROTOCOL: u32 = 16;
/// `NFT_PAYLOAD_NETWORK_HEADER`.
pub(super) const NETWORK_HEADER: u32 = 1;
/// `NFT_CMP_EQ` and `NFT_CMP_NEQ`.
pub(super) const EQUAL: u32 = 0;
pub(super) const NOT_EQUAL: u32 = 1;

/// `NFT_TABLE_F_DORMANT`.
const TABLE_DORMANT: u32 = 1;
/// `NF_DROP`.
const POLICY_DROP: u32 = 0;

/// A table's name and state; its chains are still missing. The bytes are the attributes of
/// `NFT_MSG_NEWTABLE`.
pub(crate) fn decode_table(attributes: Attributes) -> Option<(Name, InstalledTable)> {
    let name = attributes.clone().find(uapi::table::NAME)?.string().into();
    let owner = attributes.clone().find(uapi::table::OWNER).and_then(|owner| owner.be_u32());
    let flags = attributes.clone().find(uapi::table::FLAGS).and_then(|flags| flags.be_u32());
    let dormant = flags.unwrap_or(0) & TABLE_DORMANT != 0;
    let ours = is_tagged(attributes.find(uapi::table::USERDATA));
    Some((name, InstalledTable { owner, ours, dormant, ..InstalledTable::default() }))
}

/// A chain's table, name and state; its rules are still missing. The bytes are the attributes of
/// `NFT_MSG_NEWCHAIN`.
pub(crate) fn decode_chain(attributes: Attributes) -> Option<(Name, Name, InstalledChain)> {
    let table = attributes.clone().find(uapi::chain::TABLE)?.string().into();
    let name = attributes.clone().find(uapi::chain::NAME)?.string().into();
    let hook = attributes.clone().find(uapi::chain::HOOK);
    let base = hook.and_then(|hook| {
        let number = hook.nested().find(uapi::hook::NUMBER)?.be_u32()?;
        let priority = hook.nested().find(uapi::hook::PRIORITY)?.be_u32()?.cast_signed();
        let chain_type = attributes.clone().find(uapi::chain::TYPE)?.string();
        Some((chain_type.into(), number, priority))
    });
    let policy = attributes.clone().find(uapi::chain::POLICY).and_then(|policy| policy.be_u32());
    let drops = policy == Some(POLICY_DROP);
    let ours = is_tagged(attributes.find(uapi::chain::USERDATA));
    Some((table, name, InstalledChain { base, drops, ours, rules: Vec::new() }))
}

/// A rule with its table and chain. The bytes are the attributes of `NFT_MSG_NEWRULE`.
pub(crate) fn decode_rule(
    attributes: Attributes,
    family: Family,
) -> Option<(Name, Name, InstalledRule)> {
    let table = attributes.clone().find(uapi::rule::TABLE)?.string().into();
    let chain = attributes.clone().find(uapi::rule::CHAIN)?.string().into();
    let handle = attributes.clone().find(uapi::rule::HANDLE)?.be_u64()?;
    let expressions = expressions(attributes.clone());
    let (packets, bytes) = count(&expressions);
    let userdata = attributes.find(uapi::rule::USERDATA).map(|userdata| userdata.payload);
    let reader = Reader::new(&expressions, family);
    let known = match (family, userdata) {
        (Family::Inet, None) => reader.native(None),
        (Family::Inet, Some(data)) => {
            decode_comment(data).and_then(|comment| reader.native(Some(comment)))
        }
        (_, None) => reader.rule(),
        // iptables shows a comment in the user data as a match, which would make it another rule.
        (_, Some(_)) => None,
    };
    let content = known.map_or_else(|| foreign(&expressions), RuleContent::Known);
    Some((table, chain, InstalledRule { handle, content, packets, bytes }))
}

/// The expressions of a rule. The bytes are the attributes of `NFT_MSG_NEWRULE`.
pub(super) fn expressions(attributes: Attributes) -> Vec<Expression> {
    let list = attributes.find(uapi::rule::EXPRESSIONS);
    let elements = list.into_iter().flat_map(|list| list.nested());
    elements.filter(|element| element.number == uapi::LIST_ELEMENT).map(Expression::read).collect()
}

/// The generation. The bytes are the attributes of `NFT_MSG_NEWGEN`.
pub(crate) fn decode_generation(attributes: Attributes) -> Option<u32> {
    attributes.clone().find(uapi::generation::ID)?.be_u32()
}

/// The comment in a rule's user data, if there is nothing else: type 0, length, text with its
/// NUL (`NFTNL_UDATA_RULE_COMMENT`).
fn decode_comment(userdata: &[u8]) -> Option<&str> {
    let [COMMENT, length, text @ ..] = userdata else { return None };
    let text = text.strip_suffix(&[0])?;
    (usize::from(*length) == text.len() + 1).then(|| std::str::from_utf8(text).ok())?
}

fn is_tagged(userdata: Option<Attribute>) -> bool {
    userdata.is_some_and(|userdata| userdata.payload == USERDATA_TAG)
}

fn count(expressions: &[Expression]) -> (u64, u64) {
    let counter = expressions.iter().find_map(|expression| match expression {
        Expression::Counter { packets, bytes } => Some((*packets, *bytes)),
        _ => None,
    });
    counter.unwrap_or_default()
}

fn foreign(expressions: &[Expression]) -> RuleContent {
    let target = expressions.iter().find_map(|expression| match expression {
        Expression::Verdict(VerdictCode::Jump(chain) | VerdictCode::Goto(chain)) => {
            Some(chain.as_ref().into())
        }
        _ => None,
    });
    let words: Vec<String> = expressions.iter().map(Expression::to_string).collect();
    let translation = translation(expressions);
    RuleContent::Foreign { expressions: words.join(" "), target, translation }
}

/// Reads expressions in the one order in which dwnl writes them.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [Expression<'a>],
    is_ipv4: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(expressions: &'a [Expression<'a>], family: Family) -> Reader<'a> {
        Reader { rest: expressions, is_ipv4: family == Family::Ip }
    }

    /// From here on the addresses are of this family.
    pub(super) fn set_family(&mut self, family: Family) {
        self.is_ipv4 = family == Family::Ip;
    }

    /// A rule of our own table, of one form or the other.
    fn native(self, comment: Option<&str>) -> Option<Rule> {
        let rest = self.rest;
        self.native_rule(comment)
            .or_else(|| Reader { rest, is_ipv4: false }.conditional_rule(comment))
    }

    /// The rule, if every expression is part of it.
    fn rule(mut self) -> Option<Rule> {
        let fields = AddressFields::new(self.is_ipv4);
        let in_interface = self.interface();
        let protocol = self.protocol();
        let source = self.network(fields.source);
        let destination = self.network(fields.destination);
        let matches = std::iter::from_fn(|| self.extension()).collect::<Vec<_>>().into();
        let [Expression::Counter { .. }, last] = self.rest else { return None };
        let verdict = match last {
            Expression::Verdict(code) => verdict(code)?,
            Expression::Target { name, revision, info } => {
                xt::decode_target(name, *revision, info)?
            }
            _ => return None,
        };
        Some(Rule { source, destination, in_interface, protocol, matches, verdict })
    }

    pub(super) fn interface(&mut self) -> Option<Interface> {
        let [Expression::Meta(META_IN), Expression::Compare { operation, data }, rest @ ..] =
            self.rest
        else {
            return None;
        };
        let interface = interface(*operation, data)?;
        self.rest = rest;
        Some(interface)
    }

    pub(super) fn protocol(&mut self) -> Option<Protocol> {
        let [
            Expression::Meta(META_PROTOCOL),
            Expression::Compare { operation: EQUAL, data },
            rest @ ..,
        ] = self.rest
        else {
            return None;
        };
        let [number] = data else { return None };
        let protocol = Protocol::from_number(*number)?;
        self.rest = rest;
        Some(protocol)
    }

    pub(super) fn network(&mut self, field: u32) -> Option<IpNetwork> {
        let before = self.rest;
        match self.compared_network(field) {
            Some((network, false)) => Some(network),
            _ => {
                self.rest = before;
                None
            }
        }
    }

    /// The network, and whether the condition is inverted.
    pub(super) fn compared_network(&mut self, field: u32) -> Option<(IpNetwork, bool)> {
        let [Expression::Payload { base: NETWORK_HEADER, offset, length }, rest @ ..] = self.rest
        else {
            return None;
        };
        if *offset != field {
            return None;
        }
        let size = AddressFields::new(self.is_ipv4).length;
        let (prefix, operation, address, rest) = match rest {
            [Expression::Compare { operation, data }, rest @ ..] => {
                (u8::try_from(data.len() * 8).ok()?, *operation, *data, rest)
            }
            [
                Expression::Bitwise { mask, xor },
                Expression::Compare { operation, data },
                rest @ ..,
            ] if [mask.len(), xor.len(), data.len()] == [size; 3]
                && xor.iter().all(|byte| *byte == 0) =>
            {
                (masked_prefix(mask)?, *operation, *data, rest)
            }
            _ => return None,
        };
        let negated = match operation {
            EQUAL => false,
            NOT_EQUAL => true,
            _ => return None,
        };
        if *length as usize != address.len() || address.is_empty() || address.len() > size {
            return None;
        }
        let network = IpNetwork::new(self.address(address), prefix).ok()?;
        // Host bits would never match, and a mask that is not needed is not iptables' form.
        if network.network() != network.ip() {
            return None;
        }
        self.rest = rest;
        Some((network, negated))
    }

    pub(super) fn address(&self, leading: &[u8]) -> IpAddr {
        let mut octets = [0; 16];
        octets[..leading.len()].copy_from_slice(leading);
        let [a, b, c, d, ..] = octets;
        if self.is_ipv4 { IpAddr::from([a, b, c, d]) } else { IpAddr::from(octets) }
    }

    pub(super) fn extension(&mut self) -> Option<crate::model::Match> {
        let [Expression::Match { name, revision, info }, rest @ ..] = self.rest else {
            return None;
        };
        let extension = xt::decode(name, *revision, info, self.is_ipv4)?;
        self.rest = rest;
        Some(extension)
    }
}

/// The interface whose name is compared with these bytes.
pub(super) fn interface(operation: u32, data: &[u8]) -> Option<Interface> {
    let negated = match operation {
        EQUAL => false,
        NOT_EQUAL => true,
        _ => return None,
    };
    let name = data.strip_suffix(&[0]);
    let wildcard = name.is_none();
    let name = std::str::from_utf8(name.unwrap_or(data)).ok()?;
    if name.is_empty() || name.len() > INTERFACE_NAME_MAX || name.contains('\0') {
        return None;
    }
    Some(Interface::unchecked(name.into(), wildcard, negated))
}

/// The length of a prefix mask, which iptables writes only where it does not end with a byte.
fn masked_prefix(mask: &[u8]) -> Option<u8> {
    let ones: u32 = mask.iter().map(|byte| byte.leading_ones()).sum();
    let total: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let is_prefix = mask.windows(2).all(|pair| pair[0] == 0xff || pair[1] == 0);
    (is_prefix && ones == total && !ones.is_multiple_of(8)).then(|| u8::try_from(ones).ok())?
}

fn verdict(code: &VerdictCode) -> Option<Verdict> {
    Some(match code {
        VerdictCode::Drop => return None,
        VerdictCode::Accept => Verdict::Accept,
        VerdictCode::Return => Verdict::Return,
        VerdictCode::Jump(chain) => Verdict::Jump(Arc::from(chain.as_ref())),
        VerdictCode::Goto(chain) => Verdict::Goto(Arc::from(chain.as_ref())),
    })
}
