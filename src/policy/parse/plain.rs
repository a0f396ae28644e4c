//! Reads IPv4 sources in their usual form, which is what nearly all lines of long lists are, without the
//! search for what anything else may have been meant as.

use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::{IpNetwork, Ipv4Network};

use crate::model::AddressSpec;

/// Reads `192.0.2.1`, `192.0.2.0/24` or `192.0.2.1-192.0.2.9`. `None` for anything else, also if it is a
/// source in another form, or if it is wrong.
pub(super) fn parse(text: &str) -> Option<AddressSpec> {
    let (first, rest) = address(text.as_bytes())?;
    match rest {
        [] => AddressSpec::host(first.into()).ok(),
        [b'/', length @ ..] => {
            let (length, rest) = number(length)?;
            let network = Ipv4Network::new(first, u8::try_from(length).ok()?).ok()?;
            AddressSpec::network(IpNetwork::V4(network)).ok().filter(|_| rest.is_empty())
        }
        [b'-', last @ ..] => {
            let (last, rest) = address(last)?;
            let range = AddressSpec::range(IpAddr::V4(first), IpAddr::V4(last));
            range.ok().filter(|_| rest.is_empty())
        }
        _ => None,
    }
}

/// The address that a text begins with, and the rest.
fn address(text: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let (mut address, mut rest) = (0_u32, text);
    for octet in 0..4 {
        if octet > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let (number, after) = number(rest)?;
        address = address << 8 | u32::from(u8::try_from(number).ok()?);
        rest = after;
    }
    Some((address.into(), rest))
}

/// The number of up to three digits that a text begins with, and the rest. Leading zeros are an error: some
/// programs read an octal number.
fn number(text: &[u8]) -> Option<(u16, &[u8])> {
    let digit = |at: usize| text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|it| *it < 10);
    let mut number = u16::from(digit(0)?);
    let mut length = 1;
    while length < 3
        && let Some(next) = digit(length)
    {
        if number == 0 {
            return None;
        }
        number = number * 10 + u16::from(next);
        length += 1;
    }
    Some((number, text.get(length..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::source;
    use super::*;

    #[test]
    fn the_usual_forms_are_read() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "10.0.200.3",
            "0.0.0.0/0",
            "10.0.0.0/8",
            "192.0.2.1/32",
            "192.0.2.1-192.0.2.9",
            "1.2.3.4-1.2.3.4",
        ] {
            assert_eq!(parse(text), source::parse(text).ok(), "{text}");
            assert!(parse(text).is_some(), "{text}");
        }
    }

    proptest! {
        /// What it reads, the whole grammar reads alike.
        #[test]
        fn it_agrees_with_the_grammar(
            text in "[0-9]{1,4}(\\.[0-9]{1,3}){2,4}([/-][0-9]{0,3}){0,2}(\\.[0-9]{1,3}){0,3}[ 0-9]?"
        ) {
            if let Some(addresses) = parse(&text) {
                prop_assert_eq!(Some(addresses), source::parse(&text).ok());
            }
        }

        #[test]
        fn it_reads_every_source_of_ipv4(first in any::<u32>(), last in any::<u32>(), length in 0..=32_u8) {
            let (first, last) = (Ipv4Addr::from(first.min(last)), Ipv4Addr::from(first.max(last)));
            let network = Ipv4Network::new(first, length).expect("a network").network();
            for text in [first.to_string(), format!("{network}/{length}"), format!("{first}-{last}")] {
                prop_assert_eq!(parse(&text), source::parse(&text).ok());
                prop_assert!(parse(&text).is_some());
            }
        }
    }
}
