//! The interface a packet came in by, as iptables' `-i` takes it.

use std::fmt;
use std::sync::Arc;

/// The longest interface name in bytes (`IFNAMSIZ` less its NUL); a wildcard's `+` counts.
pub const INTERFACE_NAME_MAX: usize = 15;

/// An interface condition: `eth1`, every interface whose name begins so (`eth+`), or all but
/// these (`!docker0`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Interface {
    /// The name, or its beginning, without `!` and `+`; 1 to [`INTERFACE_NAME_MAX`] bytes.
    pub name: Arc<str>,
    /// Whether `name` is the beginning only (`+`).
    pub wildcard: bool,
    /// Whether the condition is inverted (`!`).
    pub negated: bool,
}

/// The option as `iptables -S` prints it: `-i eth+`, `! -i docker0`.
impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let invert = if self.negated { "! " } else { "" };
        let plus = if self.wildcard { "+" } else { "" };
        write!(f, "{invert}-i {}{plus}", self.name)
    }
}
