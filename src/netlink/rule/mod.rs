//! Rules ↔ the expressions that the kernel keeps. A dumped rule of exactly the form that dwnl
//! writes becomes a `Rule`; any other is kept as its expressions.

mod expression;
mod foreign;
mod header;
mod iptables;
mod nft;
mod parts;
mod reader;
mod trace;
mod writer;

use std::borrow::Cow;

use super::attribute::Attributes;
use super::{uapi, userdata};
use crate::model::{Family, InstalledRule, IpVersion, Name, Rule, RuleContent, RuleFacts};

pub(crate) use expression::Counter;
pub use expression::Expression;
pub(crate) use parts::decode_kernel_rule;
pub use parts::verdict;
pub use trace::add_trace_expressions;

/// Appends the expressions of a rule to libnftnl's object.
pub fn add_expressions(nft: &mut nftnl::Rule, rule: &Rule, counter: Counter) {
    match rule {
        Rule::Iptables(rule) => iptables::add_expressions(nft, rule, counter),
        Rule::Nft(rule) => nft::add_expressions(nft, rule, counter),
    }
}

/// A rule of a dump, whose expressions are read once. The bytes are the attributes of `NFT_MSG_NEWRULE`.
pub(crate) struct DumpedRule<'a> {
    attributes: Attributes<'a>,
    expressions: Vec<Expression<'a>>,
}

impl<'a> DumpedRule<'a> {
    /// Reads the expressions.
    pub fn new(attributes: Attributes<'a>) -> DumpedRule<'a> {
        let expressions = read_expressions(attributes.clone());
        DumpedRule { attributes, expressions }
    }

    /// The name of its chain.
    pub fn chain(&self) -> Option<Cow<'a, str>> {
        Some(self.attributes.clone().find(uapi::rule::CHAIN)?.string())
    }

    /// The rule. A foreign one is put in words only if `has_words`: that takes most of the time.
    pub fn installed(&self, family: Family, has_words: bool) -> Option<InstalledRule> {
        let DumpedRule { attributes, expressions } = self;
        let handle = attributes.clone().find(uapi::rule::HANDLE)?.be_u64()?;
        let (packets, bytes) = count(expressions);
        let userdata =
            attributes.clone().find(uapi::rule::USERDATA).map(|userdata| userdata.payload);
        let known = decode(expressions, family, userdata);
        let content =
            known.map_or_else(|| foreign::content(expressions, has_words), RuleContent::Known);
        Some(InstalledRule { handle, content, packets, bytes })
    }

    /// What is known of it, whoever wrote it.
    pub fn facts(&self, version: IpVersion) -> RuleFacts {
        foreign::facts(&self.expressions, &self.attributes, version)
    }
}

/// A rule with its table and chain. The bytes are the attributes of `NFT_MSG_NEWRULE`.
pub(crate) fn decode_rule(
    attributes: Attributes,
    family: Family,
) -> Option<(Name, Name, InstalledRule)> {
    let rule = DumpedRule::new(attributes.clone());
    let table = attributes.find(uapi::rule::TABLE)?.string().into();
    Some((table, rule.chain()?.into(), rule.installed(family, true)?))
}

/// The facts about a rule. The bytes are the attributes of `NFT_MSG_NEWRULE`.
pub(crate) fn decode_facts(attributes: Attributes, version: IpVersion) -> RuleFacts {
    DumpedRule::new(attributes).facts(version)
}

/// The rule that has these expressions and user data, if they are of exactly the form that dwnl
/// writes.
fn decode(expressions: &[Expression], family: Family, userdata: Option<&[u8]>) -> Option<Rule> {
    match (family.version(), userdata) {
        (None, None) => nft::decode(expressions, None).map(Rule::Nft),
        (None, Some(data)) => {
            nft::decode(expressions, Some(userdata::decode_comment(data)?)).map(Rule::Nft)
        }
        (Some(version), None) => iptables::decode(expressions, version).map(Rule::Iptables),
        // iptables shows a comment in the user data as a match, which would make it another rule.
        (Some(_), Some(_)) => None,
    }
}

/// The expressions of a rule. The bytes are the attributes of `NFT_MSG_NEWRULE`.
pub fn read_expressions(attributes: Attributes) -> Vec<Expression> {
    let list = attributes.find(uapi::rule::EXPRESSIONS);
    let elements = list.into_iter().flat_map(|list| list.nested());
    elements.filter(|element| element.number == uapi::LIST_ELEMENT).map(Expression::read).collect()
}

fn count(expressions: &[Expression]) -> (u64, u64) {
    let counter = expressions.iter().find_map(|expression| match expression {
        Expression::Counter { packets, bytes } => Some((*packets, *bytes)),
        _ => None,
    });
    counter.unwrap_or_default()
}
