//! Names as libnftnl takes them.

use std::ffi::CString;

/// Maximum number of bytes that the kernel takes of a name (`NFT_NAME_MAXLEN` less its NUL).
const NAME_MAX: usize = 255;

/// A C string of the text up to its first NUL. Of a name that is too long for the kernel, one byte
/// more than the kernel takes.
pub fn to_c_string(text: &str) -> CString {
    let bytes = text.bytes().take_while(|byte| *byte != 0).take(NAME_MAX + 1);
    CString::new(bytes.collect::<Vec<u8>>()).unwrap_or_default()
}
