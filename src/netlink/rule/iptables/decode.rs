//! Expressions → `IptablesRule`, if they are of exactly the form that iptables writes.

use ipnetwork::IpNetwork;

use super::xt;
use crate::model::{Interface, IpVersion, IptablesRule, Match, Verdict};
use crate::netlink::rule::expression::{Expression, VerdictCode};
use crate::netlink::rule::header::AddressField;
use crate::netlink::rule::reader::{self, Read, Rest, optional, repeated};
use crate::netlink::uapi::meta_key;

/// The rule, if every expression is part of it and they are in iptables' order.
pub fn decode(expressions: Rest, version: IpVersion) -> Option<IptablesRule> {
    let (in_interface, rest) = optional(in_interface, expressions);
    let (protocol, rest) = optional(reader::protocol, rest);
    let (source, rest) = optional(|it| network(it, AddressField::source(version)), rest);
    let (destination, rest) = optional(|it| network(it, AddressField::destination(version)), rest);
    let (matches, rest) = repeated(|it| extension(it, version), rest);
    let [Expression::Counter { .. }, last] = rest else { return None };
    let verdict = verdict(last)?;
    let matches = matches.into();
    Some(IptablesRule { source, destination, in_interface, protocol, matches, verdict })
}

/// `-i eth0`
fn in_interface(expressions: Rest) -> Read<Interface> {
    let [Expression::Meta(meta_key::IIFNAME), Expression::Compare { operation, data }, rest @ ..] =
        expressions
    else {
        return None;
    };
    Some((reader::interface(*operation, data)?, rest))
}

/// `-s NETWORK`, `-d NETWORK`
fn network(expressions: Rest, field: AddressField) -> Read<IpNetwork> {
    let ((network, negated), rest) = reader::network(expressions, field)?;
    (!negated).then_some((network, rest))
}

/// `-m …`
fn extension(expressions: Rest, version: IpVersion) -> Read<Match> {
    let [Expression::Match { name, revision, info }, rest @ ..] = expressions else {
        return None;
    };
    Some((xt::decode(name, *revision, info, version)?, rest))
}

/// `-j …`, `-g …`
fn verdict(expression: &Expression) -> Option<Verdict> {
    Some(match expression {
        Expression::Verdict(VerdictCode::Accept) => Verdict::Accept,
        Expression::Verdict(VerdictCode::Return) => Verdict::Return,
        Expression::Verdict(VerdictCode::Jump(chain)) => Verdict::Jump(chain.as_ref().into()),
        Expression::Verdict(VerdictCode::Goto(chain)) => Verdict::Goto(chain.as_ref().into()),
        Expression::Target { name, revision, info } => xt::decode_target(name, *revision, info)?,
        _ => return None,
    })
}
