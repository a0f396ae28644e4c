//! Expressions for the labels and the direction of a connection.

use std::ptr::NonNull;

use nftnl::nftnl_sys as sys;

use super::write::allocate;
use crate::netlink::uapi;

/// `ct label`: the labels of the connection, 16 bytes.
pub struct CtLabels;

impl nftnl::expr::Expression for CtLabels {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        ct(uapi::ct_key::LABELS, sys::NFTNL_EXPR_CT_DREG)
    }
}

/// `ct label set`: adds the labels in the register to those of the connection.
pub struct SetCtLabels;

impl nftnl::expr::Expression for SetCtLabels {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        ct(uapi::ct_key::LABELS, sys::NFTNL_EXPR_CT_SREG)
    }
}

/// `ct direction`
pub struct CtDirection;

impl nftnl::expr::Expression for CtDirection {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        ct(uapi::ct_key::DIRECTION, sys::NFTNL_EXPR_CT_DREG)
    }
}

/// The attribute is that of the register.
fn ct(key: u32, register: u32) -> NonNull<sys::nftnl_expr> {
    let expression = allocate(c"ct");
    // SAFETY: `expression` is a fresh ct expression, whose attributes these are.
    unsafe {
        let expression = expression.as_ptr();
        sys::nftnl_expr_set_u32(expression, register as u16, uapi::REGISTER);
        sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_CT_KEY as u16, key);
    }
    expression
}
