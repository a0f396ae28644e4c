//! The expression that has packets traced, which the crate `nftnl` cannot write.

use std::ptr::NonNull;

use nftnl::expr::Expression;
use nftnl::nftnl_sys as sys;

use super::write::allocate;
use crate::netlink::uapi;

/// `meta nftrace set 1`, behind the loading of the 1: the kernel reports what becomes of the packet.
pub struct SetNftrace;

impl Expression for SetNftrace {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = allocate(c"meta");
        // SAFETY: `expression` is a fresh meta expression, whose attributes these are.
        unsafe {
            let expression = expression.as_ptr();
            let key = uapi::meta_key::NFTRACE;
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_META_KEY as u16, key);
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_META_SREG as u16, uapi::REGISTER);
        }
        expression
    }
}
