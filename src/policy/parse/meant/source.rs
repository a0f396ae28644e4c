//! What an invalid source was meant as.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnetwork::IpNetwork;

use super::{IsValid, Meant, QUOTES, join, without_zeros};

const SEPARATORS: [char; 2] = ['-', '/'];

/// The sources that the text was probably meant as.
pub(in crate::policy::parse) fn source(text: &str, is_valid: IsValid) -> Option<Meant> {
    let joined = join(text, &SEPARATORS);
    let joined = joined.trim_matches(QUOTES).trim_end_matches(';');
    if let Some(meant) = one(joined) {
        return Meant::one(meant, note(joined), is_valid);
    }
    let parts = || joined.split([',', ';', ' ']).filter(|part| !part.is_empty());
    let is_mask = |part: &str| part.starts_with("255.");
    let several = parts().map(|part| one(part).filter(|_| !is_mask(part))).collect();
    Meant::several(several, is_valid).or_else(|| {
        // A source and a remark on it, which is not another source or a part of one.
        let first = one(parts().next()?)?;
        let is_remark = |word: &str| !word.starts_with(|c: char| c.is_ascii_digit());
        if parts().skip(1).all(is_remark) { Meant::one(first, "", is_valid) } else { None }
    })
}

/// The line of a source file whose comment begins with another sign than `#`:
/// `192.0.2.0/24 ; SBL123`.
pub(in crate::policy::parse) fn commented(line: &str, is_valid: IsValid) -> Option<String> {
    const MARKS: [char; 5] = [';', ' ', '\t', ',', '/'];
    if line.starts_with(';') || line.starts_with("//") {
        return Some(format!("# {}", line.trim_start_matches(MARKS)));
    }
    let (source, remark) = line.split_at(line.find([';', ' ', '\t', ','])?);
    let remark = remark.trim_matches(MARKS);
    let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let is_remark = !remark.is_empty() && !remark.split(MARKS).any(is_number);
    (is_remark && is_valid(source)).then(|| format!("{source} # {remark}"))
}

fn note(text: &str) -> &'static str {
    let address = text.split(['-', '/', ' ']).next().unwrap_or(text);
    let has_zeros = address.split('.').any(|part| without_zeros(part) != part);
    if socket(text).is_some() {
        "; ports belong in `ports`"
    } else if has_zeros && !address.contains(':') {
        "; some programs read numbers with leading zeros as octal"
    } else {
        ""
    }
}

/// One source.
fn one(text: &str) -> Option<String> {
    if let Some((address, mask)) = text.split_once([' ', '/'])
        && let Ok(mask) = mask.parse::<Ipv4Addr>()
    {
        let length = ipnetwork::ipv4_mask_to_prefix(mask).ok()?;
        return network(address, &length.to_string());
    }
    if let Some((first, last)) = text.split_once('-') {
        return range(first, last);
    }
    if let Some((address, length)) = text.split_once('/') {
        return network(address, length);
    }
    if let Some(address) = socket(text) {
        return Some(address.to_string());
    }
    wildcard(text).or_else(|| Some(unmapped(address(text)?).to_string()))
}

/// The address of `192.0.2.1:80`.
fn socket(text: &str) -> Option<IpAddr> {
    text.parse::<SocketAddr>().ok().map(|socket| socket.ip())
}

/// An address in brackets, with leading zeros or in neither.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let numbers: Vec<&str> = bare.split('.').map(without_zeros).collect();
    bare.parse().ok().or_else(|| numbers.join(".").parse::<Ipv4Addr>().ok().map(IpAddr::V4))
}

fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Both ends in full, the lower one first.
fn range(first: &str, last: &str) -> Option<String> {
    let first = unmapped(address(first)?);
    let last = match (first, last.parse::<u8>()) {
        (IpAddr::V4(address), Ok(number)) => {
            let [a, b, c, _] = address.octets();
            Ipv4Addr::new(a, b, c, number).into()
        }
        _ => unmapped(address(last)?),
    };
    Some(format!("{}-{}", first.min(last), first.max(last)))
}

/// A prefix, of which numbers may be missing: `10/8`.
fn network(text: &str, length: &str) -> Option<String> {
    let address = address(text).or_else(|| filled_up(text).map(|(address, _)| address.into()))?;
    let length = without_zeros(length).parse::<u8>().ok()?;
    let length = if unmapped(address) == address { length } else { length.checked_sub(96)? };
    let network = IpNetwork::new(unmapped(address), length).ok()?;
    Some(format!("{}/{length}", network.ip()))
}

/// `192.0.2.*` and `192.0.2.x`
fn wildcard(text: &str) -> Option<String> {
    let start = text.trim_end_matches(['.', '*', 'x', 'X']);
    let (address, count) = filled_up(start)?;
    (start != text && count < 4 && text.split('.').count() <= 4)
        .then(|| format!("{address}/{}", 8 * count))
}

/// The address that begins with these numbers and continues with zeros, and their count.
fn filled_up(text: &str) -> Option<(Ipv4Addr, u8)> {
    let mut octets = [0; 4];
    let mut count = 0;
    let mut parts = text.split('.');
    for (octet, part) in octets.iter_mut().zip(&mut parts) {
        *octet = part.parse().ok()?;
        count += 1;
    }
    parts.next().is_none().then_some((octets.into(), count))
}
