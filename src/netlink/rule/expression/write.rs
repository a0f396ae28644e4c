//! Expressions that the crate `nftnl` cannot write.

use std::ffi::{CStr, CString};
use std::ptr::NonNull;

use nftnl::expr::{Payload, TransportHeaderField};
use nftnl::nftnl_sys as sys;

use super::Field;
use crate::model::LogTarget;
use crate::netlink::uapi;

/// An xt match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XtMatch {
    /// The name under which the kernel finds it.
    pub name: &'static CStr,
    /// The revision of its blob.
    pub revision: u32,
    /// The blob.
    pub info: Vec<u8>,
}

impl nftnl::expr::Expression for XtMatch {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        use sys::{NFTNL_EXPR_MT_INFO, NFTNL_EXPR_MT_NAME, NFTNL_EXPR_MT_REV};
        extension(c"match", [NFTNL_EXPR_MT_NAME, NFTNL_EXPR_MT_REV, NFTNL_EXPR_MT_INFO], self)
    }
}

/// An xt target.
pub struct XtTarget(pub XtMatch);

impl nftnl::expr::Expression for XtTarget {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        use sys::{NFTNL_EXPR_TG_INFO, NFTNL_EXPR_TG_NAME, NFTNL_EXPR_TG_REV};
        extension(c"target", [NFTNL_EXPR_TG_NAME, NFTNL_EXPR_TG_REV, NFTNL_EXPR_TG_INFO], &self.0)
    }
}

/// A `match` or `target` expression; the attributes are those of its name, revision and blob.
fn extension(
    kind: &CStr,
    [name, revision, info]: [u32; 3],
    xt: &XtMatch,
) -> NonNull<sys::nftnl_expr> {
    let expression = allocate(kind);
    let length = xt.info.len();
    // SAFETY: `expression` is a fresh expression, whose attributes these are. The name is copied.
    // The blob is in memory of `malloc` that is at least `length` bytes long and not zero-sized:
    // libnftnl keeps the pointer and frees it with the expression.
    unsafe {
        let Some(blob) = NonNull::new(libc::malloc(length.max(1))) else { std::process::abort() };
        std::ptr::copy_nonoverlapping(xt.info.as_ptr(), blob.as_ptr().cast(), length);
        let expression = expression.as_ptr();
        sys::nftnl_expr_set_str(expression, name as u16, xt.name.as_ptr());
        sys::nftnl_expr_set_u32(expression, revision as u16, xt.revision);
        sys::nftnl_expr_set(expression, info as u16, blob.as_ptr(), length as u32);
    }
    expression
}

/// A counter with its numbers, as iptables writes it; the crate's leaves them out.
#[derive(Clone, Copy, Default)]
pub struct Counter {
    /// Packets counted.
    pub packets: u64,
    /// Bytes counted.
    pub bytes: u64,
}

impl nftnl::expr::Expression for Counter {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = allocate(c"counter");
        // SAFETY: `expression` is a fresh counter expression, whose attributes these are.
        unsafe {
            let expression = expression.as_ptr();
            sys::nftnl_expr_set_u64(expression, sys::NFTNL_EXPR_CTR_PACKETS as u16, self.packets);
            sys::nftnl_expr_set_u64(expression, sys::NFTNL_EXPR_CTR_BYTES as u16, self.bytes);
        }
        expression
    }
}

/// `fib daddr type`: what kind of address the packet is for.
pub struct FibDaddrType;

impl nftnl::expr::Expression for FibDaddrType {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = allocate(c"fib");
        // SAFETY: `expression` is a fresh fib expression, whose attributes these are.
        unsafe {
            let set = |attribute: u32, value| {
                sys::nftnl_expr_set_u32(expression.as_ptr(), attribute as u16, value);
            };
            set(sys::NFTNL_EXPR_FIB_DREG, uapi::REGISTER);
            set(sys::NFTNL_EXPR_FIB_RESULT, uapi::fib::RESULT_ADDRESS_TYPE);
            set(sys::NFTNL_EXPR_FIB_FLAGS, uapi::fib::FLAG_DESTINATION);
        }
        expression
    }
}

/// `meta KEY`, `NFT_META_*`, of those that the crate does not have.
pub struct MetaKey(pub u32);

impl nftnl::expr::Expression for MetaKey {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = allocate(c"meta");
        // SAFETY: `expression` is a fresh meta expression, whose attributes these are.
        unsafe {
            let expression = expression.as_ptr();
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_META_DREG as u16, uapi::REGISTER);
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_META_KEY as u16, self.0);
        }
        expression
    }
}

/// The loading of the packet's own destination port.
pub fn destination_port() -> Payload {
    // The crate calls these bits, but writes them as the bytes that the kernel counts in.
    let (offset_bits, length_bits) =
        (uapi::destination_port::OFFSET, uapi::destination_port::LENGTH);
    Payload::Transport(TransportHeaderField::Raw { offset_bits, length_bits })
}

/// A further field of a concatenation, loaded into the register that this number stands for
/// (`NFT_REG_*`).
pub struct Load {
    pub field: Field,
    pub register: u32,
}

impl nftnl::expr::Expression for Load {
    fn to_expr(&self, rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let (expression, register) = match self.field {
            Field::Meta(key) => (MetaKey(key).to_expr(rule), sys::NFTNL_EXPR_META_DREG),
            Field::CtOriginal(key) => (CtOriginal(key).to_expr(rule), sys::NFTNL_EXPR_CT_DREG),
            Field::Port => (destination_port().to_expr(rule), sys::NFTNL_EXPR_PAYLOAD_DREG),
        };
        // SAFETY: `expression` is a fresh expression of the kind that this attribute belongs to; it
        // replaces the first register.
        unsafe {
            sys::nftnl_expr_set_u32(expression.as_ptr(), register as u16, self.register);
        }
        expression
    }
}

/// `socket KEY`: something about the local socket that the packet is for, `NFT_SOCKET_*`. The
/// kernel looks for one that listens too.
pub struct SocketKey {
    pub key: u32,
    /// The level of the cgroup's ancestor that is loaded; for other keys none.
    pub level: Option<u8>,
}

impl nftnl::expr::Expression for SocketKey {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = allocate(c"socket");
        // SAFETY: `expression` is a fresh socket expression, whose attributes these are. A libnftnl
        // before 1.2.0 ignores the level, which it does not know; the kernel then rejects the rule.
        unsafe {
            let expression = expression.as_ptr();
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_SOCKET_KEY as u16, self.key);
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_SOCKET_DREG as u16, uapi::REGISTER);
            if let Some(level) = self.level {
                let attribute = sys::NFTNL_EXPR_SOCKET_LEVEL as u16;
                sys::nftnl_expr_set_u32(expression, attribute, level.into());
            }
        }
        expression
    }
}

/// `ct original KEY`: something about the first packet of the flow, `NFT_CT_*`.
pub struct CtOriginal(pub u32);

impl nftnl::expr::Expression for CtOriginal {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = allocate(c"ct");
        // SAFETY: `expression` is a fresh ct expression, whose attributes these are.
        unsafe {
            let expression = expression.as_ptr();
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_CT_DREG as u16, uapi::REGISTER);
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_CT_KEY as u16, self.0);
            sys::nftnl_expr_set_u8(expression, sys::NFTNL_EXPR_CT_DIR as u16, uapi::ct::ORIGINAL);
        }
        expression
    }
}

/// `@SET`: whether the register's value is in the set; the crate's takes an object for it.
pub struct Lookup(pub CString);

impl nftnl::expr::Expression for Lookup {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = allocate(c"lookup");
        // SAFETY: `expression` is a fresh lookup expression. The name is copied.
        unsafe {
            let expression = expression.as_ptr();
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_LOOKUP_SREG as u16, uapi::REGISTER);
            let name = self.0.as_ptr();
            sys::nftnl_expr_set_str(expression, sys::NFTNL_EXPR_LOOKUP_SET as u16, name);
        }
        expression
    }
}

/// `vmap @MAP`: goes on as the map says for the register's value.
pub struct VerdictLookup(pub CString);

impl nftnl::expr::Expression for VerdictLookup {
    fn to_expr(&self, rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = Lookup(self.0.clone()).to_expr(rule);
        // SAFETY: `expression` is a fresh lookup expression, which has this attribute.
        unsafe {
            let destination = sys::NFTNL_EXPR_LOOKUP_DREG as u16;
            sys::nftnl_expr_set_u32(expression.as_ptr(), destination, uapi::VERDICT_REGISTER);
        }
        expression
    }
}

/// `!= @SET`: whether the register's value is not in the set.
pub struct NegatedLookup(pub CString);

impl nftnl::expr::Expression for NegatedLookup {
    fn to_expr(&self, rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = Lookup(self.0.clone()).to_expr(rule);
        // SAFETY: `expression` is a fresh lookup expression, which has this attribute.
        unsafe {
            let flags = sys::NFTNL_EXPR_LOOKUP_FLAGS as u16;
            sys::nftnl_expr_set_u32(expression.as_ptr(), flags, uapi::lookup::INVERTED);
        }
        expression
    }
}

/// Eight bytes of the register from the host's order into the network's, in which sets compare.
pub struct HostToNetwork;

impl nftnl::expr::Expression for HostToNetwork {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = allocate(c"byteorder");
        // SAFETY: `expression` is a fresh byteorder expression, whose attributes these are.
        unsafe {
            let set = |attribute: u32, value| {
                sys::nftnl_expr_set_u32(expression.as_ptr(), attribute as u16, value);
            };
            set(sys::NFTNL_EXPR_BYTEORDER_SREG, uapi::REGISTER);
            set(sys::NFTNL_EXPR_BYTEORDER_DREG, uapi::REGISTER);
            set(sys::NFTNL_EXPR_BYTEORDER_OP, uapi::byteorder::HOST_TO_NETWORK);
            set(sys::NFTNL_EXPR_BYTEORDER_LEN, 8);
            set(sys::NFTNL_EXPR_BYTEORDER_SIZE, 8);
        }
        expression
    }
}

/// `log prefix "PREFIX" level info`, `log prefix "PREFIX" group GROUP`.
pub struct Log {
    pub prefix: CString,
    pub target: LogTarget,
}

impl nftnl::expr::Expression for Log {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = allocate(c"log");
        // SAFETY: `expression` is a fresh log expression, whose attributes these are. The prefix is
        // copied.
        unsafe {
            let expression = expression.as_ptr();
            let prefix = self.prefix.as_ptr();
            sys::nftnl_expr_set_str(expression, sys::NFTNL_EXPR_LOG_PREFIX as u16, prefix);
            match self.target {
                LogTarget::Nflog(group) => {
                    sys::nftnl_expr_set_u16(expression, sys::NFTNL_EXPR_LOG_GROUP as u16, group);
                }
                LogTarget::Kernel => {
                    let level = sys::NFTNL_EXPR_LOG_LEVEL as u16;
                    sys::nftnl_expr_set_u32(expression, level, uapi::log::INFO);
                }
            }
        }
        expression
    }
}

pub(super) fn allocate(name: &CStr) -> NonNull<sys::nftnl_expr> {
    // SAFETY: the name is a C string. libnftnl returns null only where memory is exhausted, for
    // the expressions asked for here exist in all its versions since 1.1.1 of 2018.
    let expression = unsafe { sys::nftnl_expr_alloc(name.as_ptr()) };
    NonNull::new(expression).unwrap_or_else(|| std::process::abort())
}
