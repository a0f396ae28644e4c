//! Limits on the flows that a rule admits ↔ expressions.

use std::num::NonZeroU32;

use nftnl::expr::{Immediate, Register};

use super::set_key::{MILLISECONDS, load_key, seconds};
use super::{ADMITTED, original};
use crate::model::{ConnectionLimit, FlowLimits, Rate, RateLimit, RateUnit, UpdateKey};
use crate::netlink::c_string::to_c_string;
use crate::netlink::rule::expression::{ElementState, Expression, Limit, SetCtLabels, UpdateSet};
use crate::netlink::rule::reader::Rest;

/// `add @SET { … ct count 100 } update @SET { … limit rate … } ct label set 13`
pub fn add(nft: &mut nftnl::Rule, FlowLimits { connections, rate }: &FlowLimits) {
    if let Some(ConnectionLimit { set, version, count }) = connections {
        original::load_source_network(nft, *version);
        let state = Some(ElementState::Connections(count.get()));
        nft.add_expr(&UpdateSet { set: to_c_string(set), timeout: None, state });
    }
    if let Some(RateLimit { rate, set, key }) = rate {
        load_key(nft, *key);
        let timeout = Some(u64::from(rate.refill().get()) * MILLISECONDS);
        let state = Some(ElementState::Limit(limit(*rate)));
        nft.add_expr(&UpdateSet { set: to_c_string(set), timeout, state });
    }
    nft.add_expr(&Immediate::new(ADMITTED, Register::Reg1));
    nft.add_expr(&SetCtLabels);
}

/// The limits, if the expressions are of exactly the form that is written; at least one.
pub fn decode(expressions: Rest) -> Option<FlowLimits> {
    let (connections, rest) = match connections(expressions) {
        Some((connections, rest)) => (Some(connections), rest),
        None => (None, expressions),
    };
    let rate = match rest {
        [] if connections.is_some() => None,
        [key @ .., Expression::LimitInSet { set, timeout, limit }] => {
            let (key, rate) = (original::decode_key(key)?, rate(*limit)?);
            // No other keys are written.
            let is_key = !matches!(key, UpdateKey::OriginalSource(_) | UpdateKey::Port(_));
            if !is_key || seconds(*timeout)? != rate.refill() {
                return None;
            }
            Some(RateLimit { rate, set: set.as_ref().into(), key })
        }
        _ => return None,
    };
    Some(FlowLimits { connections, rate })
}

/// `add @SET { ct original ip saddr ct count 100 }`, and the expressions behind it.
fn connections<'a>(expressions: Rest<'a>) -> Option<(ConnectionLimit, Rest<'a>)> {
    let is_added = |it: &Expression| matches!(it, Expression::ConnectionsInSet { .. });
    let (key, rest) = expressions.split_at(expressions.iter().position(is_added)?);
    let [Expression::ConnectionsInSet { set, count }, rest @ ..] = rest else { return None };
    let UpdateKey::SourceNetwork(version) = original::decode_key(key)? else { return None };
    let count = NonZeroU32::new(*count)?;
    Some((ConnectionLimit { set: set.as_ref().into(), version, count }, rest))
}

fn limit(rate: Rate) -> Limit {
    let unit = rate.unit().seconds().into();
    Limit { rate: rate.count().into(), unit, burst: rate.burst() }
}

fn rate(Limit { rate, unit, burst }: Limit) -> Option<Rate> {
    let unit = RateUnit::ALL.into_iter().find(|it| u64::from(it.seconds()) == unit)?;
    Rate::new(rate, unit, Some(burst.into())).ok()
}
