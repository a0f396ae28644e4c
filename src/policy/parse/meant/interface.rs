//! What an invalid interface condition was meant as.

use super::{IsValid, Meant, QUOTES};

/// The interface condition that the text was probably meant as: `eth0` for the alias `eth0:1`,
/// `!docker0` for `! docker0`.
pub(in crate::policy::parse) fn interface(text: &str, is_valid: IsValid) -> Option<Meant> {
    let text = text.trim().trim_matches(QUOTES);
    let (invert, name) = match text.strip_prefix('!') {
        Some(name) => ("!", name.trim_start()),
        None => ("", text),
    };
    let is_alias = |alias: &str| !alias.is_empty() && alias.bytes().all(|b| b.is_ascii_digit());
    let name = match name.split_once(':') {
        Some((name, alias)) if is_alias(alias) => name,
        _ => name,
    };
    let name = match name.strip_suffix('*') {
        Some(start) => format!("{start}+"),
        None => name.to_owned(),
    };
    Meant::one(format!("{invert}{name}"), "", is_valid)
}
