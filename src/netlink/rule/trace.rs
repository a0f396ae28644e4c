//! The rule that has packets traced.

use nftnl::expr::{Cmp, CmpOp, Immediate, Meta, Register};

use super::expression::{Counter, Limit, SetNftrace};
use super::header::AddressField;
use super::writer::{add_network, add_port_numbers, add_protocol, load_port};
use crate::model::TraceFilter;
use crate::netlink::nfproto;

/// Packets that are traced in a second, and at once.
const RATE: u32 = 20;

/// Appends the expressions of
/// `meta nfproto ipv4 ip saddr 192.0.2.9 tcp dport 443 counter
/// limit rate 20/second burst 20 packets meta nftrace set 1`.
/// The counter comes before the limit, so that it counts the packets that are not traced as well.
pub fn add_trace_expressions(nft: &mut nftnl::Rule, filter: &TraceFilter) {
    nft.add_expr(&Meta::NfProto);
    nft.add_expr(&Cmp::new(CmpOp::Eq, nfproto::number(filter.version().into())));
    let source = filter.source();
    if source.prefix() > 0 {
        add_network(nft, &source, AddressField::source(filter.version()));
    }
    if let Some(ports) = filter.ports() {
        add_protocol(nft, ports.protocol());
        load_port(nft);
        add_port_numbers(nft, &ports);
    }
    nft.add_expr(&Counter::default());
    nft.add_expr(&Limit { rate: RATE.into(), unit: 1, burst: RATE });
    nft.add_expr(&Immediate::new(1u8, Register::Reg1));
    nft.add_expr(&SetNftrace);
}
