//! The elements of the sets in which grants and bans by hand are kept.

use std::time::Duration;

use super::attribute::{Attribute, Attributes, put, put_nested};
use super::{uapi, userdata};
use crate::model::{AddressSpec, Grant, GrantSet, IpVersion, Ports, Protocol, from_u128, to_u128};

/// The highest number of a protocol, and of a port.
const ANY_PROTOCOL: u8 = u8::MAX;
const ANY_PORT: u16 = u16::MAX;

/// `192.0.2.0/24 . tcp . 443 timeout 1h comment "NOTE"`
pub fn put_grant(bytes: &mut Vec<u8>, grant: &Grant) {
    let set = grant.set();
    put_nested(bytes, uapi::LIST_ELEMENT, |bytes| {
        put_key(bytes, uapi::element::KEY, &key(grant, set, false));
        if set.has_ranges {
            put_key(bytes, uapi::element::KEY_END, &key(grant, set, true));
        }
        if let Some(remaining) = grant.remaining {
            // 0 would be no timeout.
            let milliseconds = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX).max(1);
            put(bytes, uapi::element::TIMEOUT, &milliseconds.to_be_bytes());
        }
        if let Some(note) = &grant.note {
            put(bytes, uapi::element::USERDATA, &userdata::encode_comment(note));
        }
    });
}

fn put_key(bytes: &mut Vec<u8>, number: u16, key: &[u8]) {
    put_nested(bytes, number, |bytes| put(bytes, uapi::data::VALUE, key));
}

/// The lowest or highest key of an element. Each field of a concatenation is padded to four bytes.
fn key(grant: &Grant, set: GrantSet, is_last: bool) -> Vec<u8> {
    let address = if is_last { grant.source.last() } else { grant.source.first() };
    let address = to_u128(address).to_be_bytes();
    let mut key = address[address.len() - set.version.address_bytes()..].to_vec();
    if set.kind().has_service() {
        let (protocol, port) = match (grant.ports, is_last) {
            (Some(ports), false) => (ports.protocol().number(), ports.first()),
            (Some(ports), true) => (ports.protocol().number(), ports.last()),
            (None, false) => (0, 0),
            (None, true) => (ANY_PROTOCOL, ANY_PORT),
        };
        key.extend([protocol, 0, 0, 0]);
        key.extend(port.to_be_bytes());
        key.extend([0, 0]);
    }
    key
}

/// Appends the elements of one message, except those that are of another form than dwnl writes. The
/// bytes are the attributes of NEWSETELEM.
pub(crate) fn decode_grants(attributes: Attributes, set: GrantSet, grants: &mut Vec<Grant>) {
    let list = attributes.find(uapi::element_list::ELEMENTS);
    let elements = list.into_iter().flat_map(|list| list.nested());
    grants.extend(elements.filter_map(|element| decode_grant(&element, set)));
}

fn decode_grant(element: &Attribute, set: GrantSet) -> Option<Grant> {
    let find = |number| element.nested().find(number);
    let value = |number| Some(find(number)?.nested().find(uapi::data::VALUE)?.payload);
    let first = Key::read(value(uapi::element::KEY)?, set)?;
    let last = match value(uapi::element::KEY_END) {
        Some(last) => Key::read(last, set)?,
        None => first,
    };
    let milliseconds = |number| Some(Duration::from_millis(find(number)?.be_u64()?));
    let timeout = milliseconds(uapi::element::TIMEOUT);
    let remaining =
        timeout.map(|timeout| milliseconds(uapi::element::EXPIRATION).unwrap_or(timeout));
    let note = find(uapi::element::USERDATA);
    let note = note.and_then(|note| userdata::decode_comment(note.payload).map(Into::into));
    let source = source(first.address, last.address, set.version)?;
    let ports = Key::ports(first, last)?;
    let grant = Grant { action: set.action, source, ports, remaining, note };
    (grant.set() == set).then_some(grant)
}

/// The addresses as a network, if they are one.
fn source(first: u128, last: u128, version: IpVersion) -> Option<AddressSpec> {
    let (low, high) = (from_u128(first, version), from_u128(last, version));
    let host_bits = (first ^ last).checked_add(1).map_or(128, u128::trailing_zeros);
    let length = u8::try_from(u32::from(version.address_bits()).checked_sub(host_bits)?).ok()?;
    let network = ipnetwork::IpNetwork::new(low, length).ok()?;
    let is_network = (first ^ last).count_ones() == host_bits && network.broadcast() == high;
    let network = is_network.then(|| AddressSpec::exact(network)).flatten();
    network.or_else(|| AddressSpec::range(low, high).ok())
}

#[derive(Clone, Copy)]
struct Key {
    address: u128,
    /// `None` if the keys of the set are addresses alone.
    service: Option<(u8, u16)>,
}

impl Key {
    fn read(key: &[u8], set: GrantSet) -> Option<Key> {
        let (address, rest) = key.split_at_checked(set.version.address_bytes())?;
        let service = match (rest, set.kind().has_service()) {
            ([], false) => None,
            ([protocol, _, _, _, high, low, _, _], true) => {
                Some((*protocol, u16::from_be_bytes([*high, *low])))
            }
            _ => return None,
        };
        let address = address.iter().fold(0, |number, byte| number << 8 | u128::from(*byte));
        Some(Key { address, service })
    }

    /// The ports; `Some(None)`: all ports of all protocols.
    fn ports(first: Key, last: Key) -> Option<Option<Ports>> {
        let (Some((protocol, low)), Some((protocol_end, high))) = (first.service, last.service)
        else {
            return Some(None);
        };
        if (protocol, low, protocol_end, high) == (0, 0, ANY_PROTOCOL, ANY_PORT) {
            return Some(None);
        }
        let protocol = Protocol::from_number(protocol).filter(|_| protocol == protocol_end)?;
        Ports::new(protocol, low, high).ok().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{GrantAction, SetKind, SetPath, TablePath};
    use crate::netlink::set::put_elements;

    fn grant(action: GrantAction, source: &str, ports: Option<&str>, seconds: u64) -> Grant {
        Grant {
            action,
            source: source.parse().expect("a source"),
            ports: ports.map(|ports| ports.parse().expect("ports")),
            remaining: (seconds > 0).then(|| Duration::from_secs(seconds)),
            note: (seconds > 60).then(|| "a note".into()),
        }
    }

    fn written(grant: &Grant) -> Vec<u8> {
        let table = TablePath { family: crate::model::Family::Inet, table: "dwnl".into() };
        let path = SetPath { table, set: grant.set().to_string().into() };
        let mut bytes = Vec::new();
        assert!(put_elements(&mut bytes, &path, std::slice::from_ref(grant), put_grant).is_empty());
        bytes
    }

    fn read(bytes: &[u8], set: GrantSet) -> Vec<Grant> {
        let mut grants = Vec::new();
        decode_grants(Attributes::new(bytes), set, &mut grants);
        grants
    }

    #[test]
    fn what_is_written_is_read() {
        use GrantAction::{Allow, Deny};
        for grant in [
            grant(Deny, "192.0.2.7", None, 0),
            grant(Deny, "192.0.2.0/24", None, 60),
            grant(Deny, "0.0.0.0/0", Some("443"), 3600),
            grant(Deny, "::/0", None, 0),
            grant(Deny, "2001:db8::1-2001:db8::9", Some("1-65535/sctp"), 3600),
            grant(Allow, "192.0.2.7", Some("53/udp"), 3600),
            grant(Allow, "2001:db8::7", Some("443"), 1),
            grant(Allow, "2001:db8::/127", Some("443-444"), 0),
        ] {
            let bytes = written(&grant);
            assert_eq!(read(&bytes, grant.set()), std::slice::from_ref(&grant));
            // No other set holds such an element. The ranges of one may be single values.
            let may_hold = |set: &GrantSet| matches!(set.kind(), SetKind::GrantRanges { .. });
            let others = GrantSet::all().filter(|set| !may_hold(set) && *set != grant.set());
            for other in others {
                assert_eq!(read(&bytes, other), [], "{grant} in {other}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..80), set in 0usize..8, at in 0usize..90
        ) {
            let set = GrantSet::all().nth(set).expect("a set");
            read(&bytes, set);
            // Bytes in the middle of an element.
            let mut element =
                written(&grant(GrantAction::Deny, "10.0.0.0/8", Some("1-9"), 3600));
            let end = (at + bytes.len()).min(element.len());
            if at < end {
                element[at..end].copy_from_slice(&bytes[..end - at]);
            }
            read(&element, set);
        }
    }
}
