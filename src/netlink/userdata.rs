//! What dwnl and nft keep in the user data of tables, chains and rules: items of type, length and
//! value.

use super::attribute::Attribute;
use super::uapi::meta_key;

/// What marks a table or chain that dwnl created, as an item of its user data: type 0xdd, which
/// neither nft nor iptables uses or prints, length, `dwnl` with its NUL.
pub const TAG: &[u8] = b"\xdd\x05dwnl\0";

/// The type of a comment in a rule's user data (`NFTNL_UDATA_RULE_COMMENT`).
const COMMENT: u8 = 0;

/// A set's user data by which nft knows that its elements are moments, as `meta time` loads them: items
/// of type, length and value in the host's order. The byte order is `NFTNL_UDATA_SET_KEYBYTEORDER` with
/// `BYTEORDER_HOST_ENDIAN`, the expression `NFTNL_UDATA_SET_KEY_TYPEOF` with `EXPR_META` and, as its
/// data, `NFT_META_TIME_NS`.
pub fn typeof_time() -> Vec<u8> {
    const BYTE_ORDER: u8 = 0;
    const HOST_ORDER: u32 = 1;
    const TYPEOF: u8 = 3;
    const META: u32 = 9;
    let item = |kind: u8, value: &[u8]| [&[kind, value.len() as u8], value].concat();
    let number = |kind: u8, value: u32| item(kind, &value.to_ne_bytes());
    let meta = item(1, &number(0, meta_key::TIME_NS));
    [number(BYTE_ORDER, HOST_ORDER), item(TYPEOF, &[number(0, META), meta].concat())].concat()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    /// What nft 1.0.6 writes for `typeof meta time`.
    #[test]
    fn the_type_of_a_set_of_times_is_as_nft_writes_it() {
        if cfg!(target_endian = "big") {
            return;
        }
        let nft = b"\x00\x04\x01\0\0\0\x03\x0e\x00\x04\x09\0\0\0\x01\x06\x00\x04\x1e\0\0\0";
        assert_eq!(typeof_time(), nft);
    }
}
