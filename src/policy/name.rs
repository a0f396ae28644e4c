//! The names of entries and groups.

use super::PolicyError;
use crate::model::{COMMENT_MAX, Name, is_invisible};

/// The longest name of an entry or a group in bytes: that of a rule's comment.
pub const NAME_MAX: usize = COMMENT_MAX;

/// The name of an entry, if it can be the comment of a rule.
pub(super) fn entry_name(name: &str) -> Result<Name, PolicyError> {
    if name.is_empty() {
        return Err(PolicyError::EmptyName);
    }
    check(name)?;
    Ok(name.into())
}

/// The name of a group, if it cannot be mistaken for an address.
pub(super) fn group_name(name: &str) -> Result<Name, PolicyError> {
    if name.is_empty() {
        return Err(PolicyError::EmptyGroupName);
    }
    check(name)?;
    if looks_like_address(name) {
        return Err(PolicyError::InvalidGroupName(name.into()));
    }
    Ok(name.into())
}

/// Whether a text is meant as a source, valid or not. Every other text can be the name of a group.
pub(super) fn looks_like_address(text: &str) -> bool {
    let is_numeric = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    text.contains([':', '/']) || text.chars().all(is_numeric) || begins_with_numbers(text)
}

/// Whether the text begins with two numbers, as in `10.0.x.y`.
pub(super) fn begins_with_numbers(text: &str) -> bool {
    let mut parts = text.split('.').map(is_number);
    parts.next() == Some(true) && parts.next() == Some(true)
}

/// Whether the text consists of decimal digits.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn check(name: &str) -> Result<(), PolicyError> {
    if name.len() > NAME_MAX {
        return Err(PolicyError::NameTooLong { length: name.len() });
    }
    match name.chars().find(|c| is_invisible(*c)) {
        Some(c) if c.is_control() => Err(PolicyError::ControlCharacter(c)),
        Some(c) => Err(PolicyError::InvisibleCharacter(c)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_names_do_not_look_like_addresses() {
        for name in ["office", "cdn-1", "2nd-floor", "10.example.com", "v1.2", "cafe"] {
            assert!(group_name(name).is_ok(), "{name}");
        }
        for text in ["", "7", "10.0", "10.0.x.y", "::", "a/b", "1-2", "cafe::", "localhost:80"] {
            assert!(group_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_visible_text_of_limited_length() {
        for name in ["web", "größer", "日本", "two words", &"x".repeat(NAME_MAX)] {
            assert_eq!(entry_name(name).as_deref(), Ok(name));
        }
        assert_eq!(entry_name("a\0"), Err(PolicyError::ControlCharacter('\0')));
        assert_eq!(entry_name("a\u{202e}"), Err(PolicyError::InvisibleCharacter('\u{202e}')));
        assert_eq!(group_name("a\u{200b}"), Err(PolicyError::InvisibleCharacter('\u{200b}')));
        let long = "x".repeat(NAME_MAX + 1);
        assert_eq!(entry_name(&long), Err(PolicyError::NameTooLong { length: NAME_MAX + 1 }));
    }
}
