//! Expressions that add to a set, and what each element of a set can have of its own.

use std::ffi::CString;
use std::ptr::NonNull;

use nftnl::nftnl_sys as sys;

use super::write::{Counter, allocate};
use crate::netlink::uapi;

/// `limit rate RATE/UNIT burst BURST packets`: ends the rule for packets above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Packets per unit.
    pub rate: u64,
    /// The unit in seconds.
    pub unit: u64,
    /// Packets at once.
    pub burst: u32,
}

impl nftnl::expr::Expression for Limit {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = allocate(c"limit");
        // SAFETY: `expression` is a fresh limit expression, whose attributes these are.
        unsafe {
            let expression = expression.as_ptr();
            sys::nftnl_expr_set_u64(expression, sys::NFTNL_EXPR_LIMIT_RATE as u16, self.rate);
            sys::nftnl_expr_set_u64(expression, sys::NFTNL_EXPR_LIMIT_UNIT as u16, self.unit);
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_LIMIT_BURST as u16, self.burst);
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_LIMIT_TYPE as u16, 0);
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_LIMIT_FLAGS as u16, 0);
        }
        expression
    }
}

/// `ct count COUNT`: ends the rule for a flow that is one more than this number.
struct Connlimit(u32);

impl nftnl::expr::Expression for Connlimit {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = allocate(c"connlimit");
        // SAFETY: `expression` is a fresh connlimit expression, whose attributes these are.
        unsafe {
            let expression = expression.as_ptr();
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_CONNLIMIT_COUNT as u16, self.0);
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_CONNLIMIT_FLAGS as u16, 0);
        }
        expression
    }
}

/// `update @SET { … timeout … }`, `add @SET { … }`: adds the register's value to a set.
pub struct UpdateSet {
    /// The set.
    pub set: CString,
    /// In milliseconds, from each packet on; `None`: the element is added once, without a timeout.
    pub timeout: Option<u64>,
    /// What each value has of its own.
    pub state: Option<ElementState>,
}

/// What an element of a set has of its own. It is evaluated for each packet of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementState {
    /// `counter`
    Counter,
    /// `limit rate …`
    Limit(Limit),
    /// `ct count …`
    Connections(u32),
}

impl nftnl::expr::Expression for ElementState {
    fn to_expr(&self, rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        match self {
            ElementState::Counter => Counter::default().to_expr(rule),
            ElementState::Limit(limit) => limit.to_expr(rule),
            ElementState::Connections(count) => Connlimit(*count).to_expr(rule),
        }
    }
}

impl nftnl::expr::Expression for UpdateSet {
    fn to_expr(&self, rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        use uapi::dynset::{ADD, UPDATE};
        let expression = allocate(c"dynset");
        let state = self.state.map(|state| state.to_expr(rule));
        let operation = if self.timeout.is_some() { UPDATE } else { ADD };
        // SAFETY: `expression` is a fresh dynset expression, whose attributes these are. The name
        // is copied. The state is a fresh expression, which libnftnl frees with this one.
        unsafe {
            let expression = expression.as_ptr();
            let key = sys::NFTNL_EXPR_DYNSET_SREG_KEY as u16;
            sys::nftnl_expr_set_u32(expression, key, uapi::REGISTER);
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_DYNSET_OP as u16, operation);
            if let Some(timeout) = self.timeout {
                let attribute = sys::NFTNL_EXPR_DYNSET_TIMEOUT as u16;
                sys::nftnl_expr_set_u64(expression, attribute, timeout);
            }
            let name = self.set.as_ptr();
            sys::nftnl_expr_set_str(expression, sys::NFTNL_EXPR_DYNSET_SET_NAME as u16, name);
            if let Some(state) = state {
                let attribute = sys::NFTNL_EXPR_DYNSET_EXPR as u16;
                sys::nftnl_expr_set(expression, attribute, state.as_ptr().cast(), 0);
            }
        }
        expression
    }
}
