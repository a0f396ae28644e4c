//! Statements ↔ expressions.

use nftnl::expr::{Bitwise, Conntrack, RejectionType, Verdict};

use super::set_key::{MILLISECONDS, load_key, seconds};
use super::{ADMITTED, limits, original};
use crate::model::{LogTarget, NftMatch, NftStatement, Protocol, SetUpdate, UpdateKey};
use crate::netlink::c_string::to_c_string;
use crate::netlink::rule::expression::{
    ElementState, Expression, Limit, Log, UpdateSet, VerdictCode, VerdictLookup,
};
use crate::netlink::rule::reader::{Rest, is_zero, loads_port, native_number};
use crate::netlink::uapi::{ct_key, log};

/// How many packets a rule logs.
const LIMIT: Limit =
    Limit { rate: NftStatement::LOG_RATE, unit: 1, burst: NftStatement::LOG_BURST };

/// Appends the expressions of a statement.
pub fn add(nft: &mut nftnl::Rule, statement: &NftStatement) {
    let verdict = match statement {
        NftStatement::Accept => Verdict::Accept,
        NftStatement::Drop => Verdict::Drop,
        NftStatement::Return => Verdict::Return,
        NftStatement::RejectWithReset => Verdict::Reject(RejectionType::TcpRst),
        NftStatement::Jump(chain) => Verdict::Jump { chain: to_c_string(chain) },
        NftStatement::Goto(chain) => Verdict::Goto { chain: to_c_string(chain) },
        NftStatement::OriginalPortMap(map) => {
            original::load_port(nft);
            return nft.add_expr(&VerdictLookup(to_c_string(map)));
        }
        NftStatement::SetCtMark(bits) => return add_mark(nft, !bits, *bits),
        NftStatement::ClearCtMark(bits) => return add_mark(nft, !bits, 0),
        NftStatement::UpdateSet(update) => return add_update(nft, update),
        NftStatement::Log { target, prefix } => return add_log(nft, *target, prefix),
        NftStatement::AcceptWithin(limits) => {
            limits::add(nft, limits);
            Verdict::Accept
        }
    };
    nft.add_expr(&verdict);
}

/// `ct mark set ct mark & MASK ^ XOR`
fn add_mark(nft: &mut nftnl::Rule, mask: u32, xor: u32) {
    nft.add_expr(&Conntrack::Mark { set: false });
    nft.add_expr(&Bitwise::new(mask, xor));
    nft.add_expr(&Conntrack::Mark { set: true });
}

/// `update @SET { tcp dport timeout 1h }`
fn add_update(nft: &mut nftnl::Rule, SetUpdate { set, key, timeout }: &SetUpdate) {
    load_key(nft, *key);
    let timeout = Some(u64::from(timeout.get()) * MILLISECONDS);
    let state = key.is_counted().then_some(ElementState::Counter);
    nft.add_expr(&UpdateSet { set: to_c_string(set), timeout, state });
}

/// `limit rate 10/second burst 20 packets log prefix "PREFIX" …`
fn add_log(nft: &mut nftnl::Rule, target: LogTarget, prefix: &str) {
    nft.add_expr(&LIMIT);
    nft.add_expr(&Log { prefix: to_c_string(prefix), target });
}

/// The statement of a rule with these conditions, if the expressions are of exactly the form that
/// is written.
pub fn decode(expressions: Rest, matches: &[NftMatch]) -> Option<NftStatement> {
    Some(match expressions {
        [Expression::Verdict(VerdictCode::Accept)] => NftStatement::Accept,
        [Expression::Verdict(VerdictCode::Drop)] => NftStatement::Drop,
        [Expression::Verdict(VerdictCode::Return)] => NftStatement::Return,
        [Expression::RejectWithReset] if protocol_of(matches) == Some(Protocol::Tcp) => {
            NftStatement::RejectWithReset
        }
        [Expression::Verdict(VerdictCode::Jump(chain))] => {
            NftStatement::Jump(chain.as_ref().into())
        }
        [Expression::Verdict(VerdictCode::Goto(chain))] => {
            NftStatement::Goto(chain.as_ref().into())
        }
        [Expression::CtOriginal(ct_key::PROTO_DST), Expression::VerdictLookup(map)] => {
            // Without a protocol nft does not read the port.
            protocol_of(matches)?;
            NftStatement::OriginalPortMap(map.as_ref().into())
        }
        [
            Expression::Ct { key: ct_key::MARK, set: false },
            Expression::Bitwise { mask, xor },
            Expression::Ct { key: ct_key::MARK, set: true },
        ] => mark(mask, xor)?,
        [loading, Expression::UpdateSet { set, timeout }] if loads_port(loading) => {
            update(set, UpdateKey::Port(protocol_of(matches)?), *timeout)?
        }
        [fields @ .., Expression::CountInSet { set, timeout }] => {
            protocol_of(matches)?;
            update(set, original::decode_key(fields)?, *timeout)?
        }
        [Expression::Limit(LIMIT), log] => decode_log(log)?,
        [limits @ .., Expression::Constant(labels), set, accept] => {
            let is_admission = **labels == ADMITTED
                && *set == (Expression::Ct { key: ct_key::LABELS, set: true })
                && *accept == Expression::Verdict(VerdictCode::Accept);
            let limits = is_admission.then(|| limits::decode(limits)).flatten()?;
            // Without a protocol nft does not read the port.
            let needs_protocol =
                limits.rate.as_ref().is_some_and(|it| it.key == UpdateKey::OriginalPort);
            if needs_protocol {
                protocol_of(matches)?;
            }
            NftStatement::AcceptWithin(limits)
        }
        _ => return None,
    })
}

fn decode_log(expression: &Expression) -> Option<NftStatement> {
    let (target, prefix) = match expression {
        Expression::LogToKernel { prefix, level: log::INFO } => (LogTarget::Kernel, prefix),
        Expression::LogToGroup { prefix, group } => (LogTarget::Nflog(*group), prefix),
        _ => return None,
    };
    Some(NftStatement::Log { target, prefix: prefix.as_ref().into() })
}

fn update(set: &str, key: UpdateKey, timeout: u64) -> Option<NftStatement> {
    let timeout = seconds(timeout)?;
    Some(NftStatement::UpdateSet(SetUpdate { set: set.into(), key, timeout }))
}

fn mark(mask: &[u8], xor: &[u8]) -> Option<NftStatement> {
    let bits = !native_number(mask)?;
    if is_zero(xor) {
        return Some(NftStatement::ClearCtMark(bits));
    }
    (native_number(xor) == Some(bits)).then_some(NftStatement::SetCtMark(bits))
}

/// The protocol that the last condition on it lets through.
fn protocol_of(matches: &[NftMatch]) -> Option<Protocol> {
    matches.iter().rev().find_map(protocol)
}

/// The protocol that a condition lets through, if it is one on the protocol.
fn protocol(condition: &NftMatch) -> Option<Protocol> {
    match condition {
        NftMatch::Protocol(protocol) | NftMatch::PortSet(protocol, _) => Some(*protocol),
        NftMatch::Ports(ports) | NftMatch::CtOriginalPorts(ports) => Some(ports.protocol()),
        _ => None,
    }
}
