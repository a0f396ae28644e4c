//! Whether a foreign rule translates addresses, or may do so as far as dwnl knows.

use crate::model::Name;
use crate::netlink::rule::expression::Expression;

/// Targets of iptables that leave the packet's addresses alone and may occur in a nat table.
const HARMLESS_TARGETS: [&str; 8] =
    ["AUDIT", "CLASSIFY", "CONNMARK", "LOG", "MARK", "NFLOG", "SET", "TRACE"];
/// Expressions of nf_tables that leave the packet's addresses alone. A `lookup` that dwnl
/// cannot read is not among them: with a verdict map it leads to any chain.
const HARMLESS_EXPRESSIONS: [&str; 20] = [
    "bitwise",
    "byteorder",
    "cmp",
    "connlimit",
    "counter",
    "ct",
    "dynset",
    "exthdr",
    "fib",
    "hash",
    "immediate",
    "last",
    "limit",
    "log",
    "meta",
    "numgen",
    "payload",
    "quota",
    "range",
    "socket",
];

/// The target or expression that translates, or that dwnl does not know; `None` if the rule
/// certainly leaves the addresses alone.
pub fn translation(expressions: &[Expression]) -> Option<Name> {
    expressions.iter().find_map(|expression| match expression {
        Expression::Target { name, .. } if !HARMLESS_TARGETS.contains(&name.as_ref()) => {
            Some(Name::from(name.as_ref()))
        }
        Expression::Other(name) if !HARMLESS_EXPRESSIONS.contains(&name.as_ref()) => {
            Some(Name::from(name.as_ref()))
        }
        Expression::VerdictLookup(_) => Some("lookup".into()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_target_or_expression_may_translate() {
        let target =
            |name: &'static str| Expression::Target { name: name.into(), revision: 0, info: &[] };
        let other = |name: &'static str| Expression::Other(name.into());
        for harmless in [target("MARK"), target("LOG"), other("limit"), other("counter")] {
            assert_eq!(translation(&[harmless]), None);
        }
        for name in ["DNAT", "REDIRECT", "NETMAP", "SOMETHING"] {
            assert_eq!(translation(&[other("meta"), target(name)]).as_deref(), Some(name));
        }
        let verdicts = Expression::VerdictLookup("map".into());
        assert_eq!(translation(&[other("meta"), verdicts]).as_deref(), Some("lookup"));
        for name in ["nat", "redir", "lookup", "something"] {
            assert_eq!(translation(&[other("immediate"), other(name)]).as_deref(), Some(name));
        }
    }
}
