//! The whole ruleset of a network namespace, with the tables of every program: its rules as the
//! expressions that the kernel evaluates, and in the words of iptables or nft.

mod key;
mod part;
mod rule;
mod ruleset;
mod set;
mod verdict;
mod words;
mod xt_match;
mod xt_target;

pub(crate) use key::{CtKey, MetaKey};
pub(crate) use part::{
    Arithmetic, Comparison, FlowDirection, Load, Lookup, NatOperands, NatTarget, PayloadBase,
    Register, RulePart, Stateful, Store, Update,
};
pub use rule::KernelRule;
pub use ruleset::{KernelBase, KernelChain, KernelRuleset, KernelTable};
pub use set::KernelSet;
pub(crate) use set::{ElementData, KernelElement};
pub(crate) use verdict::RuleVerdict;
pub(crate) use xt_match::{ConntrackMatch, MaskMatch, PortMatch, Tested, XtMatch};
pub(crate) use xt_target::{ConnmarkMode, Translation, XtTarget};
