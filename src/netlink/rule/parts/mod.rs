//! Rules of any program → the parts that the simulation evaluates and that are shown in words.

mod blob;
mod data;
mod expression;
mod statement;
mod xt_match;
mod xt_target;

use crate::model::kernel::RulePart;
use crate::model::{Family, KernelRule, Name};
use crate::netlink::attribute::Attributes;
use crate::netlink::uapi;

pub use statement::verdict;

/// The tables that iptables reads.
const IPTABLES_TABLES: [&str; 5] = ["filter", "nat", "mangle", "raw", "security"];

/// A rule with its table and chain. The bytes are the attributes of `NFT_MSG_NEWRULE`.
pub(crate) fn decode_kernel_rule(
    attributes: Attributes,
    family: Family,
) -> Option<(Name, Name, KernelRule)> {
    let table: Name = attributes.clone().find(uapi::rule::TABLE)?.string().into();
    let chain = attributes.clone().find(uapi::rule::CHAIN)?.string().into();
    let handle = attributes.clone().find(uapi::rule::HANDLE)?.be_u64()?;
    let userdata = attributes.clone().find(uapi::rule::USERDATA);
    let comment = userdata.and_then(|userdata| comment(userdata.payload));
    let in_iptables_table = family != Family::Inet && IPTABLES_TABLES.contains(&table.as_ref());
    let list = attributes.find(uapi::rule::EXPRESSIONS);
    let elements = list.into_iter().flat_map(|list| list.nested());
    let parts: Vec<RulePart> = elements
        .filter(|element| element.number == uapi::LIST_ELEMENT)
        .map(|element| expression::read(element, family))
        .collect();
    Some((table, chain, KernelRule { handle, comment, family, in_iptables_table, parts }))
}

/// The comment among the items of a rule's user data: type, length, value.
fn comment(userdata: &[u8]) -> Option<Name> {
    /// `NFTNL_UDATA_RULE_COMMENT`.
    const COMMENT: u8 = 0;
    let mut rest = userdata;
    while let [kind, length, behind @ ..] = rest {
        let value = behind.get(..usize::from(*length))?;
        if *kind == COMMENT {
            let text = value.strip_suffix(&[0]).unwrap_or(value);
            return Some(String::from_utf8_lossy(text).into());
        }
        rest = &behind[value.len()..];
    }
    None
}
