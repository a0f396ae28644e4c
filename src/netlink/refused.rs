//! The elements of the sets in which the guard records what it drops.

use std::time::Duration;

use super::attribute::{Attribute, Attributes};
use super::rule::Expression;
use super::uapi;
use crate::model::{Protocol, RefusalPath, RefusalSet, RefusedPort, RefusedSource, from_u128};

/// An element of such a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A source, with a port.
    Source(RefusedSource),
    /// A port alone.
    Port(RefusedPort),
}

/// Appends the elements of one message, except those that are not of the form that the guard writes.
/// The bytes are the attributes of NEWSETELEM.
pub(crate) fn decode_refused(attributes: Attributes, set: RefusalSet, refused: &mut Vec<Refused>) {
    let list = attributes.find(uapi::element_list::ELEMENTS);
    let elements = list.into_iter().flat_map(|list| list.nested());
    refused.extend(elements.filter_map(|element| decode_element(&element, set)));
}

/// A source or port, its counter, and how long ago it was put into the set again.
fn decode_element(element: &Attribute, set: RefusalSet) -> Option<Refused> {
    let find = |number| element.nested().find(number);
    let key = find(uapi::element::KEY)?.nested().find(uapi::data::VALUE)?.payload;
    let (packets, bytes) = match Expression::read(find(uapi::element::EXPRESSION)?) {
        Expression::Counter { packets, bytes } => (packets, bytes),
        _ => return None,
    };
    let milliseconds = |number| Some(Duration::from_millis(find(number)?.be_u64()?));
    let timeout = milliseconds(uapi::element::TIMEOUT).unwrap_or(RefusalSet::TIMEOUT);
    let last = timeout.saturating_sub(milliseconds(uapi::element::EXPIRATION)?);
    let Key { path, source, protocol, port } = Key::read(key, set)?;
    Some(match source {
        Some(source) => {
            let source = from_u128(source, set.version?);
            Refused::Source(RefusedSource { path, source, protocol, port, packets, bytes, last })
        }
        None => Refused::Port(RefusedPort { path, protocol, port, packets, bytes, last }),
    })
}

struct Key {
    path: RefusalPath,
    source: Option<u128>,
    protocol: Protocol,
    port: u16,
}

impl Key {
    /// The fields of a concatenation, each padded to four bytes.
    fn read(key: &[u8], set: RefusalSet) -> Option<Key> {
        let length = set.version.map_or(0, |version| version.address_bytes());
        let (source, rest) = key.split_at_checked(length)?;
        let [protocol, _, _, _, high, low, _, _] = rest else { return None };
        let number = source.iter().fold(0, |number, byte| number << 8 | u128::from(*byte));
        Some(Key {
            path: set.path,
            source: set.version.map(|_| number),
            protocol: Protocol::from_number(*protocol)?,
            port: u16::from_be_bytes([*high, *low]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::IpVersion;
    use crate::netlink::attribute::{put, put_nested, put_string};
    use crate::netlink::uapi::NESTED;

    /// A message with one element, as the kernel dumps it.
    fn message(key: &[u8], more: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_nested(&mut bytes, uapi::element_list::ELEMENTS, |bytes| {
            put_nested(bytes, uapi::LIST_ELEMENT | NESTED, |bytes| {
                put_nested(bytes, uapi::element::KEY | NESTED, |bytes| {
                    put(bytes, uapi::data::VALUE, key);
                });
                more(bytes);
            });
        });
        bytes
    }

    fn put_state(bytes: &mut Vec<u8>, expires: u64) {
        put(bytes, uapi::element::TIMEOUT, &86_400_000u64.to_be_bytes());
        put(bytes, uapi::element::EXPIRATION, &expires.to_be_bytes());
        put_nested(bytes, uapi::element::EXPRESSION | NESTED, |bytes| {
            put_string(bytes, uapi::expression::NAME, "counter");
            put_nested(bytes, uapi::expression::DATA | NESTED, |bytes| {
                put(bytes, uapi::counter::BYTES, &180u64.to_be_bytes());
                put(bytes, uapi::counter::PACKETS, &3u64.to_be_bytes());
            });
        });
    }

    fn read(bytes: &[u8], version: Option<IpVersion>) -> Vec<Refused> {
        let set = RefusalSet { path: RefusalPath::DockerProxy, version };
        let mut all = Vec::new();
        decode_refused(Attributes::new(bytes), set, &mut all);
        all
    }

    #[test]
    fn a_source_is_read_with_its_counter_and_time() {
        let key = [192, 0, 2, 7, 6, 0, 0, 0, 0x1f, 0x90, 0, 0];
        let bytes = message(&key, |bytes| put_state(bytes, 86_398_500));
        let expected = RefusedSource {
            path: RefusalPath::DockerProxy,
            source: [192, 0, 2, 7].into(),
            protocol: Protocol::Tcp,
            port: 8080,
            packets: 3,
            bytes: 180,
            last: Duration::from_millis(1500),
        };
        assert_eq!(read(&bytes, Some(IpVersion::V4)), [Refused::Source(expected)]);
        // The same bytes are no key of the other sets.
        assert_eq!(read(&bytes, Some(IpVersion::V6)), []);
        assert_eq!(read(&bytes, None), []);
    }

    #[test]
    fn what_is_of_another_form_is_not_read() {
        let key = [6, 0, 0, 0, 0, 80, 0, 0];
        assert_eq!(read(&message(&key, |bytes| put_state(bytes, 1)), None).len(), 1);
        assert_eq!(read(&message(&key, |_| {}), None), []);
        let icmp = [1, 0, 0, 0, 8, 0, 0, 0];
        assert_eq!(read(&message(&icmp, |bytes| put_state(bytes, 1)), None), []);
    }

    #[test]
    fn an_expiration_behind_the_timeout_is_now() {
        let key = [17, 0, 0, 0, 0, 53, 0, 0];
        let all = read(&message(&key, |bytes| put_state(bytes, u64::MAX)), None);
        let is_now = |it: &Refused| matches!(it, Refused::Port(port) if port.last.is_zero());
        assert!(all.len() == 1 && is_now(&all[0]), "{all:?}");
    }
}
