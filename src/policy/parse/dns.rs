//! Sources by name: `{ dns = "home.example.net", stale = "24h" }`, in a list of sources or in place of
//! one.

use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::document::{Document, Strings, Value};
use super::duration;
use crate::policy::diag::{Issue, Quoted};
use crate::policy::{DnsName, HostName, ParseError};

/// The key that makes a table one of names.
pub(super) const KEY: &str = "dns";
const KEYS: [&str; 4] = [KEY, "stale", "min-ttl", "max-addresses"];
/// The longest values of `stale` and `min-ttl`.
const STALE_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const MIN_TTL_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest name in the DNS, and the longest part between two dots, in bytes.
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// As a policy writes a name.
impl FromStr for HostName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<HostName, ParseError> {
        Ok(host(text)?)
    }
}

/// Reads the names of a table. `None` if there is an error in it.
pub(super) fn read(
    document: &mut Document,
    table: &DeTable,
    span: Range<usize>,
) -> Option<Vec<DnsName>> {
    let before = document.errors.len();
    document.check_keys(table, " in a table with `dns`", &KEYS);
    let stale = table.get("stale").and_then(|it| time(document, "stale", it, "24h", STALE_MAX));
    let min_ttl = table.get("min-ttl");
    let min_ttl = min_ttl.and_then(|it| time(document, "min-ttl", it, "30s", MIN_TTL_MAX));
    if let Some(value) = table.get("min-ttl").filter(|_| min_ttl.is_some_and(|it| it.is_zero())) {
        document.error(value.span(), Issue::new("`min-ttl` is zero").help("write at least \"1s\""));
    }
    let maximum = table.get("max-addresses").and_then(|value| max_addresses(document, value));
    let Some(value) = table.get(KEY) else {
        let issue = Issue::new("the table has no `dns` key");
        document.missing_error(span, issue.help("write `{ dns = \"host.example.net\" }`"));
        return None;
    };
    let names = hosts(document, value)?.into_iter().map(|(host, span)| {
        DnsName::new(host)
            .with_stale(stale.unwrap_or(DnsName::STALE))
            .with_min_ttl(min_ttl.unwrap_or(DnsName::MIN_TTL))
            .with_max_addresses(maximum.unwrap_or(DnsName::MAX_ADDRESSES))
            .located(document.at(&span))
    });
    let names = names.collect();
    (document.errors.len() == before).then_some(names)
}

/// Reads one name, or an array of names.
fn hosts(document: &mut Document, value: &Value) -> Option<Vec<(HostName, Range<usize>)>> {
    let strings = match value.get_ref() {
        DeValue::String(text) => vec![(text.as_ref(), value.span())],
        _ => {
            let meant = |text: &str| host(text).ok().map(|host| vec![host.to_string()]);
            let expected = Strings { key: KEY, example: "host.example.net", meant: &meant };
            document.strings(value, &expected)?
        }
    };
    if strings.is_empty() {
        document.error(value.span(), Issue::new("`dns` is empty").help("list at least one name"));
    }
    let mut hosts = Vec::with_capacity(strings.len());
    for (text, span) in strings {
        hosts.extend(document.check(host(text), span.clone()).map(|host| (host, span)));
    }
    Some(hosts)
}

fn time(
    document: &mut Document,
    key: &str,
    value: &Value,
    example: &str,
    max: Duration,
) -> Option<Duration> {
    let text = document.string(value, key, example)?;
    document.check(duration::parse(text, max), value.span())
}

fn max_addresses(document: &mut Document, value: &Value) -> Option<usize> {
    let Some(integer) = value.get_ref().as_integer() else {
        let help = format!("write `max-addresses = {}`", DnsName::MAX_ADDRESSES);
        document.wrong_type(value, "an integer", help);
        return None;
    };
    let number = usize::from_str_radix(integer.as_str(), integer.radix()).ok();
    let number = number.filter(|it| (1..=DnsName::MAX_ADDRESSES_MAX).contains(it));
    let max = DnsName::MAX_ADDRESSES_MAX;
    let issue = || Issue::new(format!("`max-addresses` is not a number from 1 to {max}"));
    document.check(number.ok_or_else(issue), value.span())
}

/// Reads a host name: letters, digits, hyphens and underscores between dots.
fn host(text: &str) -> Result<HostName, Issue> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let issue = Issue::new(format!("{} is not a host name", Quoted(text)));
    if name.is_empty() {
        return Err(issue.help("write a name such as \"home.example.net\""));
    }
    if name.parse::<std::net::IpAddr>().is_ok() || name.contains(':') && !name.contains('/') {
        return Err(
            issue.help("`dns` is for names; write addresses in the list itself, as strings")
        );
    }
    if !name.is_ascii() {
        return Err(issue.help(
            "write an internationalized name in its ASCII form, as in `xn--bcher-kva.example`",
        ));
    }
    if name.contains('*') {
        return Err(issue.help("a name cannot have a wildcard: list the names that are meant"));
    }
    if name.contains('/') {
        return Err(issue.help("write the name alone, without a scheme, a port or a path"));
    }
    if name.len() > NAME_MAX || name.split('.').any(|label| label.len() > LABEL_MAX) {
        return Err(issue.help("a name has at most 253 bytes, and 63 between two dots"));
    }
    let is_label = |label: &str| {
        let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty()
            && label.bytes().all(is_valid)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // What ends in a number is an address for most programs.
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    if !name.split('.').all(is_label) || name.rsplit('.').next().is_some_and(is_number) {
        return Err(
            issue.help("a name has letters, digits, hyphens and underscores between its dots")
        );
    }
    Ok(HostName::checked(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_read() {
        for (text, expected) in [
            ("home.example.net", "home.example.net"),
            ("Home.Example.NET.", "home.example.net"),
            ("router", "router"),
            ("_x.a-b.1e100.net", "_x.a-b.1e100.net"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(host(text).expect(text).as_str(), expected);
        }
    }

    #[test]
    fn what_is_no_host_name_gets_advice() {
        for (text, help) in [
            ("", "write a name"),
            (".", "write a name"),
            ("192.0.2.1", "addresses in the list"),
            ("2001:db8::1", "addresses in the list"),
            ("host:443", "addresses in the list"),
            ("bücher.example", "ASCII form"),
            ("*.example.net", "wildcard"),
            ("https://example.net", "without a scheme"),
            ("192.0.2.0/24", "without a scheme"),
            ("a..b", "between its dots"),
            ("-a.example", "between its dots"),
            ("a b", "between its dots"),
            ("10.0.0", "between its dots"),
            (&"a".repeat(64), "63 between"),
            (&"a.".repeat(127), "between its dots"),
        ] {
            let found = host(text).map(|host| host.to_string());
            if text.len() == 254 {
                assert!(found.is_ok(), "{text}");
                continue;
            }
            let issue = found.expect_err(text);
            assert!(issue.help.as_deref().is_some_and(|it| it.contains(help)), "{text}: {issue:?}");
        }
    }
}
