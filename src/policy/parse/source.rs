//! The grammar of sources: an address, a prefix or a range, and what people write instead.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use ipnetwork::IpNetwork;

use crate::model::{AddressError, AddressRange, AddressSpec, IpVersion};
use crate::policy::ParseError;
use crate::policy::diag::{Issue, Quoted};
use crate::policy::name::{begins_with_numbers, is_number, looks_like_address};

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

/// Reads an address; `None` if the text is anything else.
pub(super) fn parse_host(text: &str) -> Option<AddressSpec> {
    AddressSpec::host(text.parse().ok()?).ok()
}

/// Reads an address, a prefix or a range.
pub(super) fn parse(text: &str) -> Result<AddressSpec, Issue> {
    if let Ok(address) = text.parse() {
        return Ok(AddressSpec::host(address)?);
    }
    if text.is_empty() {
        return Err(Issue::new("the address is empty")
            .help("write an address, prefix or range, such as \"192.0.2.0/24\""));
    }
    if text.contains(char::is_whitespace) {
        return Err(whitespace(text));
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

fn whitespace(text: &str) -> Issue {
    let issue = Issue::new(format!("{} contains whitespace", Quoted(text)));
    let joined: String = text.split_whitespace().collect();
    match parse(&joined) {
        Ok(_) if text.trim() == joined || text.contains('-') || text.contains('/') => {
            issue.help(format!("write `{joined}`"))
        }
        _ => issue.help("list each source separately"),
    }
}

fn range(first: &str, last: &str) -> Result<AddressSpec, Issue> {
    let start = address(first)?;
    if start.is_ipv4() && is_number(last) && last.len() <= 3 {
        let network = first.rsplit_once('.').map_or(first, |(network, _)| network);
        return Err(Issue::new(format!("the range ends with `{last}`, which is not an address"))
            .help(format!("write both addresses in full: `{first}-{network}.{last}`")));
    }
    AddressSpec::range(start, address(last)?).map_err(|error| match error {
        AddressError::ReversedRange => Issue::from(error).help(format!("write `{last}-{first}`")),
        _ => error.into(),
    })
}

fn prefix(text: &str, length: &str) -> Result<AddressSpec, Issue> {
    let address = address(text)?;
    let prefix = prefix_length(text, length, &address)?;
    let network = IpNetwork::new(address, prefix).map_err(|_| out_of_range(length, &address))?;
    Ok(AddressSpec::network(network)?)
}

fn prefix_length(address_text: &str, text: &str, address: &IpAddr) -> Result<u8, Issue> {
    if let Ok(mask) = text.parse::<Ipv4Addr>() {
        return Err(netmask(address_text, mask, address));
    }
    if !is_number(text) {
        let message = match text {
            "" => "missing prefix length".to_owned(),
            _ => format!("{} is not a prefix length", Quoted(text)),
        };
        return Err(Issue::new(message).help(expected_length(address)));
    }
    let length = text.parse().unwrap_or(u32::MAX);
    match u8::try_from(length) {
        Ok(length) if length > max_length(address) => Err(out_of_range(text, address)),
        Ok(length) if text.len() > 1 && text.starts_with('0') => {
            Err(Issue::new(format!("prefix length {} has leading zeros", Quoted(text)))
                .help(format!("write `{address_text}/{length}`")))
        }
        Ok(length) => Ok(length),
        Err(_) => Err(out_of_range(text, address)),
    }
}

fn out_of_range(length: &str, address: &IpAddr) -> Issue {
    Issue::new(format!("prefix length {} is out of range", Quoted(length)))
        .help(expected_length(address))
}

fn netmask(address_text: &str, mask: Ipv4Addr, address: &IpAddr) -> Issue {
    let issue = Issue::new(format!("`{mask}` is a netmask, not a prefix length"));
    match ipnetwork::ipv4_mask_to_prefix(mask) {
        Ok(length) if address.is_ipv4() => issue.help(format!("write `{address_text}/{length}`")),
        _ => issue.help(expected_length(address)),
    }
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
        let message = format!("{} has a zone index", Quoted(text));
        let (address, zone) = (Quoted(address), Quoted(zone));
        return Issue::new(message)
            .help(format!("write {address} and set `in-interface` to {zone}"));
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Issue::new(format!("`{text}` includes a port"))
            .help(format!("write `{}`; ports belong in `ports`", socket.ip()));
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return issue.help(format!("write {} without the brackets", Quoted(inner)));
    }
    if text.contains(':') {
        return issue.help("an IPv6 address looks like 2001:db8::1");
    }
    if begins_with_numbers(text) || is_number(text) {
        return not_an_ipv4_address(text, issue);
    }
    issue.help("host names are not resolved; write the address of the host")
}

fn not_an_ipv4_address(text: &str, issue: Issue) -> Issue {
    let parts: Vec<&str> = text.split('.').take(5).collect();
    if parts.len() != 4 || !parts.iter().all(|part| is_number(part)) {
        return issue.help("an IPv4 address has four numbers, as in 192.0.2.1");
    }
    let stripped: Vec<&str> = parts.iter().map(|part| without_zeros(part)).collect();
    if let Some(large) = stripped.iter().find(|part| part.parse::<u8>().is_err()) {
        return issue.help(format!("{} is above 255", Quoted(large)));
    }
    let meant = stripped.join(".");
    Issue::new(format!("`{text}` has leading zeros"))
        .help(format!("write `{meant}`; some programs read numbers with leading zeros as octal"))
}

fn without_zeros(number: &str) -> &str {
    match number.trim_start_matches('0') {
        "" => "0",
        stripped => stripped,
    }
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
}
