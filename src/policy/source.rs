//! The grammar of sources: an address, a prefix or a range, and what people write instead.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnetwork::IpNetwork;

use super::issue::{Issue, Quoted};
use crate::model::{AddressRange, AddressSpec, IpVersion};

/// Reads an address; `None` if the text is anything else.
pub(super) fn parse_host(text: &str) -> Option<AddressSpec> {
    unmapped(text.parse().ok()?).ok().map(host)
}

/// Reads an address, a prefix or a range.
pub(super) fn parse(text: &str) -> Result<AddressSpec, Issue> {
    if let Ok(address) = text.parse() {
        return unmapped(address).map(host);
    }
    if text.is_empty() {
        return Err(Issue::new("the source is empty")
            .help("write an address, a prefix or a range, as in \"192.0.2.0/24\""));
    }
    if text.contains(char::is_whitespace) {
        return Err(blanks(text));
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

fn host(address: IpAddr) -> AddressSpec {
    AddressSpec::Network(IpNetwork::from(address))
}

/// Whether the text is meant as a source, right or wrong. All other words can be names of groups.
pub(super) fn looks_like_address(text: &str) -> bool {
    let is_numeric = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    text.contains([':', '/']) || text.chars().all(is_numeric) || begins_with_numbers(text)
}

/// Whether the text begins with two numbers, as in `10.0.x.y`.
fn begins_with_numbers(text: &str) -> bool {
    let mut parts = text.split('.').map(is_number);
    parts.next() == Some(true) && parts.next() == Some(true)
}

fn blanks(text: &str) -> Issue {
    let fault = Issue::new(format!("there are blanks in {}", Quoted(text)));
    let joined: String = text.split_whitespace().collect();
    match parse(&joined) {
        Ok(_) if text.trim() == joined || text.contains('-') || text.contains('/') => {
            fault.help(format!("write `{joined}`"))
        }
        _ => fault.help("write each source on its own"),
    }
}

fn range(first: &str, last: &str) -> Result<AddressSpec, Issue> {
    let start = unmapped(address(first)?)?;
    if start.is_ipv4() && is_number(last) && last.len() <= 3 {
        let network = first.rsplit_once('.').map_or(first, |(network, _)| network);
        return Err(Issue::new(format!("the range ends with the number `{last}`"))
            .help(format!("write both addresses in full: `{first}-{network}.{last}`")));
    }
    let end = unmapped(address(last)?)?;
    if start == end {
        return Ok(host(start));
    }
    if IpVersion::of(start) != IpVersion::of(end) {
        return Err(
            Issue::new("the range mixes IPv4 and IPv6").help("both ends have to be of one family")
        );
    }
    AddressRange::new(start, end).map(AddressSpec::Range).ok_or_else(|| {
        Issue::new("the range is upside down").help(format!("write `{last}-{first}`"))
    })
}

fn prefix(text: &str, length: &str) -> Result<AddressSpec, Issue> {
    let address = address(text)?;
    let max = IpVersion::of(address).address_bits();
    let length = prefix_length(text, length, max)?;
    if let (IpAddr::V6(v6), 96..) = (address, length)
        && let Some(v4) = v6.to_ipv4_mapped()
    {
        return Err(mapped(&address, &format!("{v4}/{}", length - 96)));
    }
    let network = IpNetwork::new(address, length).map_err(|_| too_large(length.into(), max))?;
    if network.network() != address {
        let meant = format!("{}/{length}", network.network());
        return Err(Issue::new(format!("`{text}/{length}` has host bits set"))
            .help(format!("write `{meant}` for the network or `{text}` for the host")));
    }
    Ok(AddressSpec::Network(network))
}

fn prefix_length(address: &str, text: &str, max: u8) -> Result<u8, Issue> {
    if let Ok(mask) = text.parse::<Ipv4Addr>() {
        return Err(netmask(address, mask, max));
    }
    if !is_number(text) {
        let message = match text {
            "" => "the prefix length is missing".to_owned(),
            _ => format!("{} is not a prefix length", Quoted(text)),
        };
        return Err(
            Issue::new(message).help(format!("a prefix length is a number from 0 to {max}"))
        );
    }
    let length = text.parse().unwrap_or(u32::MAX);
    match u8::try_from(length) {
        Ok(length) if length <= max && (text.len() == 1 || !text.starts_with('0')) => Ok(length),
        Ok(length) if length <= max => {
            Err(Issue::new(format!("the prefix length `{text}` has leading zeros"))
                .help(format!("write `{address}/{length}`")))
        }
        _ => Err(too_large(length, max)),
    }
}

fn too_large(length: u32, max: u8) -> Issue {
    let family = if max == 32 { "IPv4" } else { "IPv6" };
    Issue::new(format!("the prefix length {length} is too large"))
        .help(format!("a prefix length of {family} is a number from 0 to {max}"))
}

fn netmask(address: &str, mask: Ipv4Addr, max: u8) -> Issue {
    let fault = Issue::new(format!("`{mask}` is a netmask, not a prefix length"));
    match ipnetwork::ipv4_mask_to_prefix(mask) {
        Ok(length) if max == 32 => fault.help(format!("write `{address}/{length}`")),
        _ => fault.help(format!("a prefix length is a number from 0 to {max}")),
    }
}

/// Reads one address of either family.
fn address(text: &str) -> Result<IpAddr, Issue> {
    text.parse().map_err(|_| not_an_address(text))
}

/// The address, unless IPv4 hides in it: packets never carry it in this form.
fn unmapped(address: IpAddr) -> Result<IpAddr, Issue> {
    match address {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => Err(mapped(&address, &v4.to_string())),
            None => Ok(address),
        },
        IpAddr::V4(_) => Ok(address),
    }
}

fn mapped(address: &IpAddr, meant: &str) -> Issue {
    Issue::new(format!("`{address}` is an IPv4 address in IPv6 form"))
        .help(format!("write `{meant}`"))
}

/// Why `text` is not an address, as well as can be guessed.
fn not_an_address(text: &str) -> Issue {
    let fault = Issue::new(format!("{} is not an address", Quoted(text)));
    if let Some((address, zone)) = text.split_once('%') {
        return Issue::new(format!("{} has a zone index", Quoted(text))).help(format!(
            "write {}, with {} as `in-interface`",
            Quoted(address),
            Quoted(zone)
        ));
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Issue::new(format!("there is a port behind the address in `{text}`"))
            .help(format!("write `{}`; ports belong in `ports`", socket.ip()));
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return fault.help(format!("write {} without the brackets", Quoted(inner)));
    }
    if text.contains(':') {
        return fault.help("an IPv6 address looks like 2001:db8::1");
    }
    if begins_with_numbers(text) || is_number(text) {
        return not_an_ipv4_address(text, fault);
    }
    fault.help("names are not resolved: write the address of the host")
}

fn not_an_ipv4_address(text: &str, fault: Issue) -> Issue {
    let parts: Vec<&str> = text.split('.').take(5).collect();
    if parts.len() != 4 || !parts.iter().all(|part| is_number(part)) {
        return fault.help("an IPv4 address has four numbers, as in 192.0.2.1");
    }
    let stripped: Vec<&str> = parts.iter().map(|part| without_zeros(part)).collect();
    if let Some(large) = stripped.iter().find(|part| part.parse::<u8>().is_err()) {
        return fault.help(format!("{} is above 255", Quoted(large)));
    }
    Issue::new(format!("`{text}` has leading zeros"))
        .help(format!("write `{}`; other programs read such a number as octal", stripped.join(".")))
}

fn without_zeros(number: &str) -> &str {
    match number.trim_start_matches('0') {
        "" => "0",
        stripped => stripped,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_all_forms_are_read() {
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

    #[test]
    fn the_names_of_groups_do_not_look_like_addresses() {
        for name in ["office", "cdn-1", "2nd-floor", "10.example.com", "v1.2", "cafe"] {
            assert!(!looks_like_address(name), "{name}");
        }
        for text in ["", "7", "10.0", "10.0.x.y", "::", "a/b", "1-2", "cafe::", "localhost:80"] {
            assert!(looks_like_address(text), "{text}");
        }
    }
}
