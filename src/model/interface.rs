//! The interface by which a packet came in, as iptables' `-i` takes it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{Name, is_invisible};

/// The longest interface name in bytes (`IFNAMSIZ` less its NUL); a wildcard's `+` counts.
pub const INTERFACE_NAME_MAX: usize = 15;

/// An interface condition: `eth1`, every interface whose name begins with `eth` (`eth+`), or every
/// other interface (`!docker0`).
///
/// `Display` prints and `FromStr` reads this form, in which a policy writes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Interface {
    name: Name,
    is_wildcard: bool,
    is_negated: bool,
}

/// Why a text is not an interface condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterfaceError {
    /// There is no name.
    #[error("the interface name is empty")]
    Empty,
    /// The condition `+`.
    #[error("`+` matches every interface")]
    MatchesEvery,
    /// The condition `!+`.
    #[error("`!+` matches no interface")]
    MatchesNone,
    /// The name, with the `+` of a wildcard, is longer than [`INTERFACE_NAME_MAX`].
    #[error("the interface name is {length} bytes long")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A `+` that is not at the end.
    #[error("the interface name contains a `+` that is not at the end")]
    InnerPlus,
    /// A character that the kernel, iptables or the files of iptables-restore do not allow.
    #[error("an interface name cannot contain {}", CharText(*.0))]
    Character(char),
    /// The names `.` and `..`.
    #[error("`{0}` is not a valid interface name")]
    Reserved(Name),
}

impl Interface {
    /// The interface of this name, or if `is_wildcard` every interface whose name begins so; if
    /// `is_negated` every interface but these.
    ///
    /// # Errors
    /// See [`InterfaceError`].
    pub fn new(
        name: &str,
        is_wildcard: bool,
        is_negated: bool,
    ) -> Result<Interface, InterfaceError> {
        let length = name.len() + usize::from(is_wildcard);
        if length > INTERFACE_NAME_MAX {
            return Err(InterfaceError::TooLong { length });
        }
        check_characters(name)?;
        match (name, is_wildcard, is_negated) {
            ("", false, _) => Err(InterfaceError::Empty),
            ("", true, false) => Err(InterfaceError::MatchesEvery),
            ("", true, true) => Err(InterfaceError::MatchesNone),
            ("." | "..", false, _) => Err(InterfaceError::Reserved(name.into())),
            _ => Ok(Interface::unchecked(name.into(), is_wildcard, is_negated)),
        }
    }

    /// An interface as the kernel names it, which may be none that a policy can name.
    pub(crate) fn unchecked(name: Name, is_wildcard: bool, is_negated: bool) -> Interface {
        Interface { name, is_wildcard, is_negated }
    }

    /// The interface of this name, as the kernel names it.
    pub(crate) fn named(name: Name) -> Interface {
        Interface::unchecked(name, false, false)
    }

    /// The name, or its beginning, without `!` and `+`.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether [`Interface::name`] is only the beginning of the name (`+`).
    pub fn is_wildcard(&self) -> bool {
        self.is_wildcard
    }

    /// Whether the condition is inverted (`!`).
    pub fn is_negated(&self) -> bool {
        self.is_negated
    }

    /// Whether the interface of this name meets the condition.
    pub fn matches(&self, name: &str) -> bool {
        let is_one = match self.is_wildcard {
            true => name.starts_with(&*self.name),
            false => name == &*self.name,
        };
        is_one != self.is_negated
    }
}

/// The kernel rejects whitespace, `/` and `:`; the others have a meaning for iptables or in the
/// files of iptables-restore.
fn check_characters(name: &str) -> Result<(), InterfaceError> {
    if name.contains('+') {
        return Err(InterfaceError::InnerPlus);
    }
    let is_rejected = |c: &char| c.is_whitespace() || is_invisible(*c) || "/:!\"'\\".contains(*c);
    name.chars().find(is_rejected).map_or(Ok(()), |c| Err(InterfaceError::Character(c)))
}

impl FromStr for Interface {
    type Err = InterfaceError;

    fn from_str(text: &str) -> Result<Interface, InterfaceError> {
        let (is_negated, pattern) = match text.strip_prefix('!') {
            Some(pattern) => (true, pattern),
            None => (false, text),
        };
        match pattern.strip_suffix('+') {
            Some(name) => Interface::new(name, true, is_negated),
            None => Interface::new(pattern, false, is_negated),
        }
    }
}

/// As a policy writes it: `eth+`, `!docker0`.
impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let invert = if self.is_negated { "!" } else { "" };
        let plus = if self.is_wildcard { "+" } else { "" };
        write!(f, "{invert}{}{plus}", self.name)
    }
}

/// The option as `iptables -S` prints it: `-i eth+`, `! -i docker0`.
pub(super) struct InterfaceOption<'a>(pub &'a Interface);

impl fmt::Display for InterfaceOption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let invert = if self.0.is_negated { "! " } else { "" };
        let plus = if self.0.is_wildcard { "+" } else { "" };
        write!(f, "{invert}-i {}{plus}", self.0.name)
    }
}

/// The operand as nft writes it: `"eth*"`, `!= "docker0"`.
pub(super) struct InterfacePattern<'a>(pub &'a Interface);

impl fmt::Display for InterfacePattern<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = if self.0.is_negated { "!= " } else { "" };
        let star = if self.0.is_wildcard { "*" } else { "" };
        write!(f, "{operator}\"{}{star}\"", self.0.name)
    }
}

/// A character as a message names it: itself, or its number if it cannot be seen.
struct CharText(char);

impl fmt::Display for CharText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ' ' => f.write_str("a space"),
            c if c.is_whitespace() || is_invisible(c) => write!(f, "U+{:04X}", u32::from(c)),
            c => write!(f, "`{c}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_read_and_printed_as_policies_write_them() {
        let cases = [
            ("eth1", "-i eth1"),
            ("eth+", "-i eth+"),
            ("!docker0", "! -i docker0"),
            ("!12345678901234+", "! -i 12345678901234+"),
            ("br-0123456789ab", "-i br-0123456789ab"),
        ];
        for (text, option) in cases {
            let interface: Interface = text.parse().expect("an interface");
            assert_eq!(interface.to_string(), text);
            assert_eq!(InterfaceOption(&interface).to_string(), option);
        }
    }

    #[test]
    fn conditions_match_names() {
        let cases = [("eth1", "eth1", true), ("eth1", "eth10", false), ("eth+", "eth10", true)];
        for (condition, name, expected) in cases {
            let interface = |text: &str| text.parse::<Interface>().expect("an interface");
            assert_eq!(interface(condition).matches(name), expected);
            assert_eq!(interface(&format!("!{condition}")).matches(name), !expected);
        }
    }

    #[test]
    fn what_cannot_name_an_interface_is_rejected() {
        let too_long = InterfaceError::TooLong { length: 16 };
        let cases = [
            ("", InterfaceError::Empty),
            ("!", InterfaceError::Empty),
            ("+", InterfaceError::MatchesEvery),
            ("!+", InterfaceError::MatchesNone),
            ("0123456789abcdef", too_long.clone()),
            ("123456789012345+", too_long),
            ("et+h", InterfaceError::InnerPlus),
            ("eth++", InterfaceError::InnerPlus),
            ("..", InterfaceError::Reserved("..".into())),
            ("eth0\0", InterfaceError::Character('\0')),
            ("eth 0", InterfaceError::Character(' ')),
            ("eth\u{202e}0", InterfaceError::Character('\u{202e}')),
            ("!!eth0", InterfaceError::Character('!')),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Interface>(), Err(error), "{text:?}");
        }
    }
}
