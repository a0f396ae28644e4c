//! The grammar of sources: an address, a prefix or a range, and what people write instead.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use ipnetwork::IpNetwork;

use super::meant::{self, Meant};
use super::plain;
use crate::model::{AddressRange, AddressSpec, Interface, IpVersion};
use crate::policy::diag::{Issue, Quoted};
use crate::policy::name::{begins_with_numbers, is_number, looks_like_address};
use crate::policy::{HostName, ParseError};

const EXAMPLES: &str = "write an address, prefix or range, such as \"192.0.2.0/24\"";

/// As a policy writes a source.
impl FromStr for AddressSpec {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<AddressSpec, ParseError> {
        Ok(parse(text)?)
    }
}

/// `192.0.2.1-192.0.2.9`
impl FromStr for AddressRange {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<AddressRange, ParseError> {
        let Some((first, last)) = text.split_once('-') else {
            return Err(Issue::new(format!("{} is not a range", Quoted(text)))
                .help("write two addresses, as in 192.0.2.1-192.0.2.9")
                .into());
        };
        Ok(AddressRange::new(address(first)?, address(last)?).map_err(Issue::from)?)
    }
}

/// Reads an IPv4 source in its usual form, or an address; `None` if the text is anything else.
pub(super) fn parse_plain(text: &str) -> Option<AddressSpec> {
    plain::parse(text).or_else(|| AddressSpec::host(text.parse().ok()?).ok())
}

/// Reads an address, a prefix or a range.
pub(super) fn parse(text: &str) -> Result<AddressSpec, Issue> {
    strict(text).map_err(|issue| match advice(text) {
        Some(advice) => advice,
        None => issue.suggest(meant(text)),
    })
}

/// The sources that an invalid text was probably meant as.
fn meant(text: &str) -> Option<Meant> {
    meant::source(text, &is_valid)
}

/// The valid sources that a text stands for: itself, or those that it was probably meant as.
pub(super) fn values(text: &str) -> Option<Vec<String>> {
    Meant::values_of(strict(text), || meant(text))
}

/// The line of a source file, if it is valid with `#` before its comment.
pub(super) fn commented(line: &str) -> Option<String> {
    meant::commented(line, &is_valid)
}

fn is_valid(text: &str) -> bool {
    strict(text).is_ok()
}

/// The grammar, with general help.
fn strict(text: &str) -> Result<AddressSpec, Issue> {
    if let Ok(address) = text.parse() {
        return Ok(AddressSpec::host(address)?);
    }
    if text.is_empty() {
        return Err(Issue::new("the address is empty").help(EXAMPLES));
    }
    if text.contains(char::is_whitespace) {
        return Err(Issue::new(format!("{} contains whitespace", Quoted(text))).help(EXAMPLES));
    }
    if !looks_like_address(text) {
        return Err(not_an_address(text));
    }
    if let Some((first, last)) = text.split_once('-') {
        range(first, last)
    } else if let Some((address, length)) = text.split_once('/') {
        prefix(address, length)
    } else {
        Err(not_an_address(text))
    }
}

fn range(first: &str, last: &str) -> Result<AddressSpec, Issue> {
    let start = address(first)?;
    if start.is_ipv4() && is_number(last) && last.len() <= 3 {
        let message = format!("the range ends with `{last}`, which is not an address");
        return Err(Issue::new(message).help("write both addresses in full"));
    }
    Ok(AddressSpec::range(start, address(last)?)?)
}

fn prefix(text: &str, length: &str) -> Result<AddressSpec, Issue> {
    let address = address(text)?;
    let prefix = prefix_length(length, &address)?;
    let network = IpNetwork::new(address, prefix).map_err(|_| out_of_range(length, &address))?;
    Ok(AddressSpec::network(network)?)
}

fn prefix_length(text: &str, address: &IpAddr) -> Result<u8, Issue> {
    let issue = |message| Err(Issue::new(message).help(expected_length(address)));
    if text.parse::<Ipv4Addr>().is_ok() {
        return issue(format!("`{text}` is a netmask, not a prefix length"));
    }
    if text.is_empty() {
        return issue("missing prefix length".to_owned());
    }
    if !is_number(text) {
        return issue(format!("{} is not a prefix length", Quoted(text)));
    }
    let length = text.parse().unwrap_or(u32::MAX);
    match u8::try_from(length) {
        Ok(length) if length > max_length(address) => Err(out_of_range(text, address)),
        Ok(_) if text.len() > 1 && text.starts_with('0') => {
            issue(format!("prefix length {} has leading zeros", Quoted(text)))
        }
        Ok(length) => Ok(length),
        Err(_) => Err(out_of_range(text, address)),
    }
}

fn out_of_range(length: &str, address: &IpAddr) -> Issue {
    Issue::new(format!("prefix length {} is out of range", Quoted(length)))
        .help(expected_length(address))
}

fn expected_length(address: &IpAddr) -> String {
    let version = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    format!("an {version} prefix length is a number from 0 to {}", max_length(address))
}

fn max_length(address: &IpAddr) -> u8 {
    IpVersion::of(*address).address_bits()
}

/// Reads one address of either IP version.
fn address(text: &str) -> Result<IpAddr, Issue> {
    text.parse().map_err(|_| not_an_address(text))
}

/// Why `text` is not an address, as well as can be guessed.
fn not_an_address(text: &str) -> Issue {
    let issue = Issue::new(format!("{} is not an address", Quoted(text)));
    if let Some((address, zone)) = text.split_once('%') {
        return zone_index(text, address, zone);
    }
    if text.parse::<SocketAddr>().is_ok() {
        return Issue::new(format!("`{text}` includes a port")).help("ports belong in `ports`");
    }
    if text.contains(':') {
        return issue.help("an IPv6 address looks like 2001:db8::1");
    }
    if begins_with_numbers(text) || is_number(text) {
        return not_an_ipv4_address(text, issue);
    }
    match text.parse::<HostName>() {
        Ok(_) if text.contains('.') => issue.help(format!(
            "a name is looked up if the policy lists it as `{{ dns = \"{text}\" }}`"
        )),
        _ => issue.help(EXAMPLES),
    }
}

fn zone_index(text: &str, address: &str, zone: &str) -> Issue {
    let issue = Issue::new(format!("{} has a zone index", Quoted(text)));
    match is_valid(address) && zone.parse::<Interface>().is_ok() {
        true => issue.help(format!("write `{address}` and set `in-interface` to `{zone}`")),
        false => issue.help(EXAMPLES),
    }
}

fn not_an_ipv4_address(text: &str, issue: Issue) -> Issue {
    let parts: Vec<&str> = text.split('.').take(5).collect();
    if parts.len() != 4 || !parts.iter().all(|part| is_number(part)) {
        return issue.help("an IPv4 address has four numbers, as in 192.0.2.1");
    }
    let is_large = |part: &&&str| part.trim_start_matches('0').parse::<u16>().unwrap_or(0) > 255;
    if let Some(large) = parts.iter().find(is_large) {
        return issue.help(format!("{} is above 255", Quoted(large)));
    }
    Issue::new(format!("`{text}` has leading zeros")).help(EXAMPLES)
}

/// What to do instead, where the text is no source of any form.
pub(super) fn advice(text: &str) -> Option<Issue> {
    const EVERYONE: [&str; 8] =
        ["*", "all", "any", "anyone", "anywhere", "everybody", "everyone", "world"];
    if EVERYONE.contains(&text.to_lowercase().as_str()) {
        return Some(Issue::new(format!("{} is not a source", Quoted(text))).help(
            "an entry without `from` allows anyone, and one without `to` matches every address of \
             the host",
        ));
    }
    if text.starts_with('!') {
        return Some(
            Issue::new(format!("{} excludes a source", Quoted(text)))
                .help("list the sources that are allowed; all others stay blocked"),
        );
    }
    if text.contains("://") {
        return Some(Issue::new(format!("{} is a URL", Quoted(text))).help(
            "dwnl downloads nothing: save the list in a file that a group under `[sources]` names, \
             as in `cdn = { file = \"cdn.txt\" }`",
        ));
    }
    is_path(text).then(|| {
        Issue::new(format!("{} is a file, not a source", Quoted(text))).help(
            "name it in a group under `[sources]`, as in `cdn = { file = \"cdn.txt\" }`, and the \
             group here",
        )
    })
}

/// Whether the text looks like the path of a file.
pub(super) fn is_path(text: &str) -> bool {
    const ENDS: [&str; 8] = [".txt", ".list", ".lst", ".csv", ".json", ".netset", ".ipset", ".gz"];
    let is_below = ["/", "./", "../", "~/"].iter().any(|start| text.starts_with(start));
    (is_below && text.contains(char::is_alphabetic)) || ENDS.iter().any(|end| text.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_every_form_are_read() {
        let cases = [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1/32", "192.0.2.1"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("192.0.2.1-192.0.2.9", "192.0.2.1-192.0.2.9"),
            ("192.0.2.1-192.0.2.1", "192.0.2.1"),
            ("2001:DB8::0", "2001:db8::"),
            ("::/0", "::/0"),
            ("::fffe:0:0/95", "::fffe:0:0/95"),
            ("2001:db8::1-2001:db8::f", "2001:db8::1-2001:db8::f"),
            ("::102:304", "::1.2.3.4"),
        ];
        for (text, expected) in cases {
            let found = parse(text).map(|addresses| addresses.to_string());
            assert_eq!(found.as_deref(), Ok(expected), "{text}");
        }
    }
    fn help(text: &str) -> String {
        parse(text).expect_err("not a source").help.unwrap_or_default()
    }

    #[test]
    fn other_forms_are_understood() {
        let cases = [
            ("192.0.02.010", "192.0.2.10"),
            ("192.0.02.0/024", "192.0.2.0/24"),
            ("192.0.2.0 255.255.255.0", "192.0.2.0/24"),
            ("192.0.2.0 / 24", "192.0.2.0/24"),
            ("192.0.2.9 - 192.0.2.1", "192.0.2.1-192.0.2.9"),
            ("192.0.2.1–9", "192.0.2.1-192.0.2.9"),
            ("192.0.2.1..192.0.2.9", "192.0.2.1-192.0.2.9"),
            ("192.0.2.*", "192.0.2.0/24"),
            ("10.x.x.x", "10.0.0.0/8"),
            ("10/8", "10.0.0.0/8"),
            ("0/0", "0.0.0.0/0"),
            ("[2001:db8::]/32", "2001:db8::/32"),
            ("::ffff:192.0.2.1-::ffff:192.0.2.9", "192.0.2.1-192.0.2.9"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("\"192.0.2.1\",", "192.0.2.1"),
            ("192.0.2.1;", "192.0.2.1"),
            ("192.0.2.0/24 ; SBL123", "192.0.2.0/24"),
        ];
        for (text, expected) in cases {
            assert!(
                help(text).starts_with(&format!("write `{expected}`")),
                "{text}: {}",
                help(text)
            );
        }
        let expected = "list each separately: `192.0.2.1`, `2001:db8::/32`";
        assert_eq!(help("192.0.2.1, 2001:db8::/32"), expected);
    }

    #[test]
    fn what_cannot_be_guessed_gets_general_help() {
        let texts = [
            "",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.1/33",
            "192.0.02.1/24",
            "[x]",
            "x%y",
            "::x%eth0",
            "192.0.2.1 92",
            "192.0.2.1 255.0.255.0",
            "192.0.2.0/255.0.255.0",
            "1-2",
            "a/b",
            "*.*",
            "add list 192.0.2.1",
            "deny 192.0.2.1;",
            "::ffff:0:0/90-",
            "any",
            "!192.0.2.1",
            "https://192.0.2.1/list.txt",
            "/etc/list.txt",
            "192.0.2.1-2001:db8::1",
        ];
        for text in texts {
            let help = help(text);
            assert!(
                !help.starts_with("write `") && !help.starts_with("list each"),
                "{text}: {help}"
            );
        }
    }
}
