//! The expressions that a rule is made of: those that the crate `nftnl` cannot write, and all
//! that dwnl can read.

use std::borrow::Cow;
use std::ffi::CString;
use std::fmt;
use std::ptr::NonNull;

use nftnl::nftnl_sys as sys;

use super::attribute::Attribute;
use super::uapi;
use super::xt::XtMatch;

/// Verdicts as signed numbers (`linux/netfilter.h`, `linux/netfilter/nf_tables.h`).
const DROP: i32 = 0;
const ACCEPT: i32 = 1;
const JUMP: i32 = -3;
const GOTO: i32 = -4;
const RETURN: i32 = -5;

/// The register that every expression of iptables works with (`NFT_REG_1`).
const REGISTER: u32 = 1;

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
    kind: &std::ffi::CStr,
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
pub(crate) struct Counter {
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

/// `NFT_FIB_RESULT_ADDRTYPE` and `NFTA_FIB_F_DADDR`.
const FIB_ADDRESS_TYPE: u32 = 3;
const FIB_DESTINATION: u32 = 2;

impl nftnl::expr::Expression for FibDaddrType {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = allocate(c"fib");
        // SAFETY: `expression` is a fresh fib expression, whose attributes these are.
        unsafe {
            let set = |attribute: u32, value| {
                sys::nftnl_expr_set_u32(expression.as_ptr(), attribute as u16, value);
            };
            set(sys::NFTNL_EXPR_FIB_DREG, REGISTER);
            set(sys::NFTNL_EXPR_FIB_RESULT, FIB_ADDRESS_TYPE);
            set(sys::NFTNL_EXPR_FIB_FLAGS, FIB_DESTINATION);
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
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_META_DREG as u16, REGISTER);
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_META_KEY as u16, self.0);
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
        // before 1.2.0 does not know the level and ignores it; the kernel then refuses the rule.
        unsafe {
            let expression = expression.as_ptr();
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_SOCKET_KEY as u16, self.key);
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_SOCKET_DREG as u16, REGISTER);
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

/// `IP_CT_DIR_ORIGINAL`.
const ORIGINAL: u8 = 0;

impl nftnl::expr::Expression for CtOriginal {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = allocate(c"ct");
        // SAFETY: `expression` is a fresh ct expression, whose attributes these are.
        unsafe {
            let expression = expression.as_ptr();
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_CT_DREG as u16, REGISTER);
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_CT_KEY as u16, self.0);
            sys::nftnl_expr_set_u8(expression, sys::NFTNL_EXPR_CT_DIR as u16, ORIGINAL);
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
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_LOOKUP_SREG as u16, REGISTER);
            let name = self.0.as_ptr();
            sys::nftnl_expr_set_str(expression, sys::NFTNL_EXPR_LOOKUP_SET as u16, name);
        }
        expression
    }
}

/// `update @SET { … timeout … }`: puts the register's value into a set.
pub struct UpdateSet {
    pub set: CString,
    /// In milliseconds.
    pub timeout: u64,
}

/// `NFT_DYNSET_OP_UPDATE`.
const UPDATE: u32 = 1;

impl nftnl::expr::Expression for UpdateSet {
    fn to_expr(&self, _rule: &nftnl::Rule) -> NonNull<sys::nftnl_expr> {
        let expression = allocate(c"dynset");
        // SAFETY: `expression` is a fresh dynset expression, whose attributes these are. The name
        // is copied.
        unsafe {
            let expression = expression.as_ptr();
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_DYNSET_SREG_KEY as u16, REGISTER);
            sys::nftnl_expr_set_u32(expression, sys::NFTNL_EXPR_DYNSET_OP as u16, UPDATE);
            let timeout = sys::NFTNL_EXPR_DYNSET_TIMEOUT as u16;
            sys::nftnl_expr_set_u64(expression, timeout, self.timeout);
            let name = self.set.as_ptr();
            sys::nftnl_expr_set_str(expression, sys::NFTNL_EXPR_DYNSET_SET_NAME as u16, name);
        }
        expression
    }
}

fn allocate(name: &std::ffi::CStr) -> NonNull<sys::nftnl_expr> {
    // SAFETY: the name is a C string. libnftnl returns null only where memory is exhausted, for
    // the expressions asked for here exist in all its versions since 1.1.1 of 2018.
    let expression = unsafe { sys::nftnl_expr_alloc(name.as_ptr()) };
    NonNull::new(expression).unwrap_or_else(|| std::process::abort())
}

/// An expression of a dumped rule. Anything that iptables does not write, or that works with
/// another register, is `Other`.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression<'a> {
    /// Loads something about the packet: `NFT_META_*`.
    Meta(u32),
    /// Loads bytes of a header.
    Payload {
        /// `NFT_PAYLOAD_*`: 1 is the network header.
        base: u32,
        /// In bytes from its beginning.
        offset: u32,
        /// In bytes.
        length: u32,
    },
    /// Masks the register, then flips bits of it.
    Bitwise {
        /// The bits that stay.
        mask: &'a [u8],
        /// The bits that are flipped.
        xor: &'a [u8],
    },
    /// Compares the register.
    Compare {
        /// `NFT_CMP_*`: 0 is equal, 1 not equal.
        operation: u32,
        /// With these bytes.
        data: &'a [u8],
    },
    /// Whether the register is in a range, as iptables since 1.8.8 and nft write it.
    Range {
        /// From these bytes.
        from: &'a [u8],
        /// To these.
        to: &'a [u8],
    },
    /// An xt match.
    Match {
        /// Its name.
        name: Cow<'a, str>,
        /// Its revision.
        revision: u32,
        /// Its blob.
        info: &'a [u8],
    },
    /// Counts.
    Counter {
        /// Packets so far.
        packets: u64,
        /// Bytes so far.
        bytes: u64,
    },
    /// Loads the type of the address that the packet is for.
    DestinationType,
    /// Looks the register up in a set.
    InSet(Cow<'a, str>),
    /// Puts the register into a set, or keeps it there for longer.
    UpdateSet {
        /// The set.
        set: Cow<'a, str>,
        /// For how long, in milliseconds.
        timeout: u64,
    },
    /// Loads or sets something about the connection: `NFT_CT_*`.
    Connection {
        /// What.
        key: u32,
        /// Whether it is set.
        set: bool,
    },
    /// Loads something about the local socket that the packet is for: `NFT_SOCKET_*`.
    Socket {
        /// What.
        key: u32,
        /// Of a cgroup, the level of the ancestor; else 0.
        level: u32,
    },
    /// Loads something about the first packet of the connection: `NFT_CT_*`.
    Original(u32),
    /// An xt target.
    Target {
        /// Its name.
        name: Cow<'a, str>,
        /// Its revision.
        revision: u32,
        /// Its blob.
        info: &'a [u8],
    },
    /// Ends the rule.
    Verdict(VerdictCode<'a>),
    /// Any other, by its name.
    Other(Cow<'a, str>),
}

/// A verdict as it was read.
#[derive(Clone, Debug, PartialEq)]
pub enum VerdictCode<'a> {
    /// `NF_DROP`.
    Drop,
    /// `NF_ACCEPT`.
    Accept,
    /// `NFT_RETURN`.
    Return,
    /// `NFT_JUMP`.
    Jump(Cow<'a, str>),
    /// `NFT_GOTO`.
    Goto(Cow<'a, str>),
}

impl<'a> Expression<'a> {
    /// Reads an item of `NFTA_RULE_EXPRESSIONS`.
    pub fn read(element: Attribute<'a>) -> Expression<'a> {
        let name = element.nested().find(uapi::expression::NAME);
        let name = name.map_or(Cow::Borrowed("?"), |name| name.string());
        let known = element
            .nested()
            .find(uapi::expression::DATA)
            .and_then(|data| Expression::read_data(&name, data));
        known.unwrap_or(Expression::Other(name))
    }

    fn read_data(name: &str, data: Attribute<'a>) -> Option<Expression<'a>> {
        let number = |attribute| data.nested().find(attribute)?.be_u32();
        let uses_register = |attribute| number(attribute) == Some(REGISTER);
        let bytes = |attribute| {
            Some(data.nested().find(attribute)?.nested().find(uapi::data::VALUE)?.payload)
        };
        Some(match name {
            "meta" if uses_register(uapi::meta::DESTINATION) => {
                Expression::Meta(number(uapi::meta::KEY)?)
            }
            "payload" if uses_register(uapi::payload::DESTINATION) => Expression::Payload {
                base: number(uapi::payload::BASE)?,
                offset: number(uapi::payload::OFFSET)?,
                length: number(uapi::payload::LENGTH)?,
            },
            "bitwise"
                if uses_register(uapi::bitwise::SOURCE)
                    && uses_register(uapi::bitwise::DESTINATION)
                    && number(uapi::bitwise::OPERATION).unwrap_or(0) == 0 =>
            {
                let (mask, xor) = (bytes(uapi::bitwise::MASK)?, bytes(uapi::bitwise::XOR)?);
                if mask.len() != xor.len() {
                    return None;
                }
                Expression::Bitwise { mask, xor }
            }
            "cmp" if uses_register(uapi::cmp::SOURCE) => Expression::Compare {
                operation: number(uapi::cmp::OPERATION)?,
                data: bytes(uapi::cmp::DATA)?,
            },
            "range"
                if uses_register(uapi::range::SOURCE)
                    && number(uapi::range::OPERATION) == Some(0) =>
            {
                Expression::Range { from: bytes(uapi::range::FROM)?, to: bytes(uapi::range::TO)? }
            }
            "match" => Expression::Match {
                name: data.nested().find(uapi::extension::NAME)?.string(),
                revision: number(uapi::extension::REVISION)?,
                info: data.nested().find(uapi::extension::INFO)?.payload,
            },
            "target" => Expression::Target {
                name: data.nested().find(uapi::extension::NAME)?.string(),
                revision: number(uapi::extension::REVISION)?,
                info: data.nested().find(uapi::extension::INFO)?.payload,
            },
            "counter" => Expression::Counter {
                packets: data.nested().find(uapi::counter::PACKETS)?.be_u64()?,
                bytes: data.nested().find(uapi::counter::BYTES)?.be_u64()?,
            },
            "fib"
                if uses_register(uapi::fib::DESTINATION)
                    && number(uapi::fib::RESULT) == Some(FIB_ADDRESS_TYPE)
                    && number(uapi::fib::FLAGS) == Some(FIB_DESTINATION) =>
            {
                Expression::DestinationType
            }
            "lookup"
                if uses_register(uapi::lookup::SOURCE)
                    && number(uapi::lookup::DESTINATION).is_none()
                    && number(uapi::lookup::FLAGS).unwrap_or(0) == 0 =>
            {
                Expression::InSet(data.nested().find(uapi::lookup::SET)?.string())
            }
            "dynset" if is_plain_update(data) => Expression::UpdateSet {
                set: data.nested().find(uapi::dynset::SET)?.string(),
                timeout: data.nested().find(uapi::dynset::TIMEOUT)?.be_u64()?,
            },
            "socket" if uses_register(uapi::socket::DESTINATION) => Expression::Socket {
                key: number(uapi::socket::KEY)?,
                level: number(uapi::socket::LEVEL).unwrap_or(0),
            },
            "ct" if uses_register(uapi::ct::DESTINATION) => {
                let key = number(uapi::ct::KEY)?;
                match data.nested().find(uapi::ct::DIRECTION).map(|direction| direction.payload) {
                    None => Expression::Connection { key, set: false },
                    Some([ORIGINAL]) => Expression::Original(key),
                    Some(_) => return None,
                }
            }
            "ct" if uses_register(uapi::ct::SOURCE) => {
                Expression::Connection { key: number(uapi::ct::KEY)?, set: true }
            }
            "immediate" if number(uapi::immediate::DESTINATION) == Some(0) => {
                Expression::Verdict(read_verdict(data)?)
            }
            _ => return None,
        })
    }
}

/// Whether a dynset expression does nothing but put a key into the set or keep it there.
fn is_plain_update(data: Attribute) -> bool {
    use uapi::dynset::{DATA, EXPRESSION, EXPRESSIONS, FLAGS, OPERATION, SOURCE};
    let number = |attribute| data.nested().find(attribute).and_then(|number| number.be_u32());
    let has = |attribute| data.nested().find(attribute).is_some();
    number(SOURCE) == Some(REGISTER)
        && number(OPERATION) == Some(UPDATE)
        && number(FLAGS).unwrap_or(0) == 0
        && ![DATA, EXPRESSION, EXPRESSIONS].into_iter().any(has)
}

fn read_verdict(data: Attribute<'_>) -> Option<VerdictCode<'_>> {
    let verdict =
        data.nested().find(uapi::immediate::DATA)?.nested().find(uapi::data::VERDICT)?.nested();
    let chain = || Some(verdict.clone().find(uapi::verdict::CHAIN)?.string());
    Some(match verdict.clone().find(uapi::verdict::CODE)?.be_u32()?.cast_signed() {
        DROP => VerdictCode::Drop,
        ACCEPT => VerdictCode::Accept,
        RETURN => VerdictCode::Return,
        JUMP => VerdictCode::Jump(chain()?),
        GOTO => VerdictCode::Goto(chain()?),
        _ => return None,
    })
}

/// Close to the words of `nft --debug=netlink`.
impl fmt::Display for Expression<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expression::Meta(key) => write!(f, "[meta {key}]"),
            Expression::Payload { base, offset, length } => {
                write!(f, "[payload {length}b @ header {base} + {offset}]")
            }
            Expression::Bitwise { mask, xor } => {
                write!(f, "[bitwise & 0x{} ^ 0x{}]", Hex(mask), Hex(xor))
            }
            Expression::DestinationType => write!(f, "[fib daddr type]"),
            Expression::InSet(set) => write!(f, "[lookup @{set}]"),
            Expression::UpdateSet { set, timeout } => {
                write!(f, "[dynset update @{set} timeout {timeout}ms]")
            }
            Expression::Connection { key, set: false } => write!(f, "[ct {key}]"),
            Expression::Connection { key, set: true } => write!(f, "[ct {key} set]"),
            Expression::Compare { operation, data } => {
                let operation = ["eq", "neq", "lt", "lte", "gt", "gte"]
                    .get(*operation as usize)
                    .copied()
                    .unwrap_or("?");
                write!(f, "[cmp {operation} 0x{}]", Hex(data))
            }
            Expression::Socket { key, level } => write!(f, "[socket {key} level {level}]"),
            Expression::Original(key) => write!(f, "[ct original {key}]"),
            Expression::Range { from, to } => write!(f, "[range 0x{} 0x{}]", Hex(from), Hex(to)),
            Expression::Match { name, revision, .. } => write!(f, "[match {name} rev {revision}]"),
            Expression::Target { name, .. } => write!(f, "[target {name}]"),
            Expression::Counter { .. } => write!(f, "[counter]"),
            Expression::Verdict(VerdictCode::Drop) => write!(f, "[drop]"),
            Expression::Verdict(VerdictCode::Accept) => write!(f, "[accept]"),
            Expression::Verdict(VerdictCode::Return) => write!(f, "[return]"),
            Expression::Verdict(VerdictCode::Jump(chain)) => write!(f, "[jump {chain}]"),
            Expression::Verdict(VerdictCode::Goto(chain)) => write!(f, "[goto {chain}]"),
            Expression::Other(name) => write!(f, "[{name}]"),
        }
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
