//! What dwnl and nft keep in the user data of tables, chains and rules: items of type, length and
//! value.

use super::attribute::Attribute;

/// What marks a table or chain that dwnl created, as an item of its user data: type 0xdd, which
/// neither nft nor iptables uses or prints, length, `dwnl` with its NUL.
pub const TAG: &[u8] = b"\xdd\x05dwnl\0";

/// The type of a comment in a rule's user data (`NFTNL_UDATA_RULE_COMMENT`).
const COMMENT: u8 = 0;

/// Whether the user data, if there is any, says that dwnl created the object.
pub fn is_tagged(userdata: Option<Attribute>) -> bool {
    userdata.is_some_and(|userdata| userdata.payload == TAG)
}

/// A rule's user data with a comment: type, length, text with its NUL.
pub fn encode_comment(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len() + 1).unwrap_or(u8::MAX);
    [&[COMMENT, length], text.as_bytes(), &[0]].concat()
}

/// The comment in a rule's user data, if there is nothing else.
pub fn decode_comment(userdata: &[u8]) -> Option<&str> {
    let [COMMENT, length, text @ ..] = userdata else { return None };
    let text = text.strip_suffix(&[0])?;
    (usize::from(*length) == text.len() + 1).then(|| std::str::from_utf8(text).ok())?
}
