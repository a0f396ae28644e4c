//! Rules of dwnl's own table, which only nft can read. Each condition has its own expressions, in
//! the order of the conditions; the counter and the statement follow.

mod decode;
mod encode;
mod limits;
mod original;
mod service;
mod set_key;
mod statement;

use crate::model::{ADMITTED_LABEL, NftMatch, NftRule};
use crate::netlink::rule::expression::{Counter, Expression};
use crate::netlink::rule::reader::repeated;
use crate::netlink::rule::writer::capped;

pub use decode::decode_match;

/// `RTN_LOCAL`, in the host's byte order as the kernel loads it.
const LOCAL: u32 = 2;
/// `NF_CT_STATE_BIT(IP_CT_ESTABLISHED)` and `NF_CT_STATE_BIT(IP_CT_RELATED)`.
const ESTABLISHED_OR_RELATED: u32 = 2 | 4;
/// `IPS_DST_NAT`.
const DESTINATION_TRANSLATED: u32 = 1 << 5;
/// `ADMITTED_LABEL` in the 128 bits of a connection's labels: numbered as the kernel numbers those of
/// a bitmap of `long`.
const ADMITTED: [u8; 16] = {
    let word = (1usize << ADMITTED_LABEL).to_ne_bytes();
    let mut labels = [0; 16];
    let mut at = 0;
    while at < word.len() {
        labels[at] = word[at];
        at += 1;
    }
    labels
};
/// The kind of a bridge in the register's 16 bytes, as `NFT_META_IIFKIND` loads it.
const BRIDGE: [u8; 16] = *b"bridge\0\0\0\0\0\0\0\0\0\0";
/// What the names of bridges begin with that Docker generates, and the bits of all sixteen bytes of
/// the name that are tested behind it: bit 5 of fifteen characters, which digits and small letters
/// have.
const NAME_START: &[u8] = b"br-";
const NAME_BITS: [u8; 16] = *b"               \0";

/// Appends the expressions of a rule to libnftnl's object.
pub fn add_expressions(nft: &mut nftnl::Rule, rule: &NftRule, counter: Counter) {
    for condition in capped(&rule.matches) {
        encode::add_match(nft, condition);
    }
    nft.add_expr(&counter);
    statement::add(nft, &rule.statement);
}

/// The rule, if every expression is part of it.
pub fn decode(expressions: &[Expression], comment: Option<&str>) -> Option<NftRule> {
    let (matches, rest) = repeated(decode_match, expressions);
    let [Expression::Counter { .. }, statement @ ..] = rest else { return None };
    let statement = statement::decode(statement, &matches)?;
    tests_versions(&matches).then(|| NftRule {
        matches: matches.into(),
        statement,
        comment: comment.map(Into::into),
    })
}

/// Whether each condition on the IP header comes after one on its version.
fn tests_versions(matches: &[NftMatch]) -> bool {
    matches.iter().enumerate().all(|(index, condition)| {
        let version = condition.header_version();
        version.is_none_or(|version| matches[..index].contains(&NftMatch::NfProto(version)))
    })
}
