//! What an invalid port was meant as.

use super::{IsValid, Meant, QUOTES, join, without_zeros};
use crate::model::Protocol;
use crate::policy::diag::suggest;

/// Words for every port or every protocol.
const EVERY: [&str; 5] = ["*", "any", "all", "both", "every"];
/// Services with one port and one protocol.
const SERVICES: [(&str, u16); 3] = [("http", 80), ("https", 443), ("ssh", 22)];
const SEPARATORS: [char; 3] = ['-', '/', ':'];

/// The ports that the text was probably meant as.
pub(in crate::policy::parse) fn port(text: &str, is_valid: IsValid) -> Option<Meant> {
    let text = join(&text.to_lowercase(), &SEPARATORS);
    let text = text.trim_matches(QUOTES);
    let note = if is_mapping(text) { ": the published port alone" } else { "" };
    let one = one(text).and_then(|ports| Meant::one(ports, note, is_valid));
    one.or_else(|| Meant::several(every(text).or_else(|| several(text)), is_valid))
}

/// One port or range, with its protocol.
fn one(text: &str) -> Option<String> {
    let (numbers, protocol) = match text.split_once("->") {
        Some((left, right)) => arrow(left.trim(), right.trim())?,
        None => split_protocol(text)?,
    };
    if EVERY.contains(&numbers) && text.contains('/') {
        return Some(format!("1-65535/{protocol}"));
    }
    let numbers = published(numbers);
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let (first, last) = (number(first)?, number(last)?);
    Some(match first == last {
        true => format!("{first}/{protocol}"),
        false => format!("{}-{}/{protocol}", first.min(last), first.max(last)),
    })
}

/// `0.0.0.0:8080->80/tcp`, as `docker ps` prints it, or `80/tcp -> 0.0.0.0:8080`, as `docker port`
/// does.
fn arrow<'t>(left: &'t str, right: &'t str) -> Option<(&'t str, Protocol)> {
    let last = |text: &'t str| text.rsplit(':').next().unwrap_or(text);
    match left.split_once('/') {
        Some((_, name)) => Some((last(right), protocol(name)?)),
        None => Some((last(left), split_protocol(right)?.1)),
    }
}

/// The text without its protocol, which may be misspelt, or be before or behind the number.
fn split_protocol(text: &str) -> Option<(&str, Protocol)> {
    if let Some((numbers, name)) = text.split_once('/')
        && protocol(numbers).is_none()
    {
        return Some((numbers, protocol(name)?));
    }
    let joint = |rest: &'_ str| rest.is_empty() || rest.ends_with(|c: char| c.is_ascii_digit());
    for protocol in Protocol::ALL {
        if let Some(numbers) = text.strip_suffix(protocol.name()) {
            let numbers = numbers.trim_end_matches(['-', ':', '_', '.', ' ']);
            return joint(numbers).then_some((numbers, protocol));
        }
        if let Some(numbers) = text.strip_prefix(protocol.name()) {
            return Some((numbers.trim_start_matches(['-', ':', '_', '.', ' ', '/']), protocol));
        }
    }
    Some((text, Protocol::Tcp))
}

fn protocol(name: &str) -> Option<Protocol> {
    let near = suggest(name, Protocol::ALL.map(Protocol::name))?;
    Protocol::ALL.into_iter().find(|protocol| protocol.name() == near)
}

fn is_mapping(text: &str) -> bool {
    let is_number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    text.contains("->") || text.rsplit_once(':').is_some_and(|(_, port)| is_number(port))
}

/// The published port of Docker's `[[address:]published:]container`.
fn published(numbers: &str) -> &str {
    match numbers.rsplit_once(':') {
        // An address with a port.
        Some((address, port)) if address.parse::<std::net::IpAddr>().is_ok() => port,
        Some((host, _)) => host.rsplit(':').next().unwrap_or(host),
        None => numbers,
    }
}

fn number(text: &str) -> Option<u16> {
    if let Some((_, port)) = SERVICES.iter().find(|(name, _)| *name == text) {
        return Some(*port);
    }
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    without_zeros(text).parse().ok().filter(|port| is_number && *port > 0)
}

/// Every port, of TCP and UDP.
fn every(text: &str) -> Option<Vec<String>> {
    EVERY.contains(&text).then(|| vec!["1-65535/tcp".to_owned(), "1-65535/udp".to_owned()])
}

/// A list: `80,443`, `80,443/udp`, `443/tcp,udp`.
fn several(text: &str) -> Option<Vec<String>> {
    const COMMAS: [char; 6] = [',', ';', ' ', '+', '|', '&'];
    let parts = |text: &str, separators: &[char]| -> Vec<String> {
        text.split(separators).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let plain = || parts(text, &COMMAS).iter().map(|part| one(part)).collect();
    let Some((numbers, protocols)) = text.split_once('/') else { return plain() };
    let protocols = match EVERY.contains(&protocols) {
        true => vec!["tcp".to_owned(), "udp".to_owned()],
        false => parts(protocols, &[',', ';', ' ', '+', '|', '&', '/']),
    };
    let is_known = |name: &String| Protocol::ALL.iter().any(|known| known.name() == name);
    if !protocols.iter().all(is_known) {
        return plain();
    }
    let numbers = parts(numbers, &COMMAS);
    let product = numbers.iter().flat_map(|number| {
        protocols.iter().map(move |protocol| one(&format!("{number}/{protocol}")))
    });
    product.collect()
}
