//! `IptablesRule` → expressions.

use nftnl::expr::{Meta, Verdict as NftVerdict};

use super::xt;
use crate::model::{IpVersion, IptablesRule, Verdict};
use crate::netlink::c_string::to_c_string;
use crate::netlink::rule::expression::{Counter, XtTarget};
use crate::netlink::rule::header::AddressField;
use crate::netlink::rule::writer::{add_interface_name, add_network, add_protocol, capped};

/// Appends the expressions of a rule to libnftnl's object:
/// `-s SOURCE -d DESTINATION -i INTERFACE -p tcp -m … -j …`
pub fn add_expressions(nft: &mut nftnl::Rule, rule: &IptablesRule, counter: Counter) {
    if let Some(interface) = &rule.in_interface {
        nft.add_expr(&Meta::IifName);
        add_interface_name(nft, interface);
    }
    if let Some(protocol) = rule.protocol {
        add_protocol(nft, protocol);
    }
    if let Some(source) = &rule.source {
        add_network(nft, source, AddressField::source(IpVersion::of(source.ip())));
    }
    if let Some(destination) = &rule.destination {
        let field = AddressField::destination(IpVersion::of(destination.ip()));
        add_network(nft, destination, field);
    }
    for extension in capped(&rule.matches) {
        nft.add_expr(&xt::encode(extension));
    }
    nft.add_expr(&counter);
    add_verdict(nft, &rule.verdict);
}

fn add_verdict(nft: &mut nftnl::Rule, verdict: &Verdict) {
    let verdict = match verdict {
        Verdict::Accept => NftVerdict::Accept,
        Verdict::Return => NftVerdict::Return,
        Verdict::Jump(chain) => NftVerdict::Jump { chain: to_c_string(chain) },
        Verdict::Goto(chain) => NftVerdict::Goto { chain: to_c_string(chain) },
        Verdict::Connmark { bits, set } => {
            return nft.add_expr(&XtTarget(xt::encode_connmark_target(*bits, *set)));
        }
    };
    nft.add_expr(&verdict);
}
