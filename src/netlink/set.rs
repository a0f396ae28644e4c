//! Sets and their elements. Elements are written straight into the batch: there may be a hundred
//! thousand of them, and each is a few bytes.

use std::sync::Arc;

use super::attribute::{Attribute, Attributes, put, put_nested, put_string};
use super::uapi::{self, NESTED};
use super::userdata;
use crate::model::{InstalledSet, Interval, IpVersion, Name, Protocol, SetKind, SetPath};

/// `NFT_SET_INTERVAL`.
pub(super) const FLAG_INTERVAL: u32 = 4;
/// `NFT_SET_TIMEOUT` and `NFT_SET_EVAL`: elements expire, and rules add them.
const FLAGS_DYNAMIC: u32 = FLAG_TIMEOUT | FLAG_EVAL;
/// `NFT_SET_TIMEOUT`: elements may expire.
const FLAG_TIMEOUT: u32 = 0x10;
/// `NFT_SET_CONCAT`: the fields of a concatenation are intervals.
const FLAG_CONCATENATED: u32 = 0x80;
/// What a set of concatenated intervals has whose elements may expire.
const FLAGS_RANGES: u32 = FLAG_INTERVAL | FLAG_TIMEOUT | FLAG_CONCATENATED;
/// `NFT_SET_EVAL`: rules add elements.
const FLAG_EVAL: u32 = 0x20;
/// `NFT_SET_ANONYMOUS`: the set is part of the one rule that looks it up.
const FLAG_ANONYMOUS: u32 = 1;
/// `NFT_SET_ELEM_INTERVAL_END`: the element is the first address behind an interval.
pub(super) const INTERVAL_END: u32 = 1;
/// `NFT_SET_ELEM_CATCHALL`: the element matches every key, and has none itself.
pub(super) const CATCH_ALL: u32 = 2;
/// nft's own numbers of its data types, by which it prints the elements.
const TYPE_IPV4: u32 = 7;
const TYPE_IPV6: u32 = 8;
const TYPE_PROTOCOL: u32 = 12;
pub(super) const TYPE_PORT: u32 = 13;
const TYPE_CT_DIRECTION: u32 = 27;
const TYPE_TIME: u32 = 43;
/// The bits of the number of a type in that of a concatenation (`TYPE_BITS`).
const TYPE_BITS: u32 = 6;
/// Maximum length in bytes of the elements in one message, well below the 16 bits of an attribute's
/// length.
const LIST_MAX: usize = 60_000;

/// Appends the attributes of NEWSET. `id` is unique in the batch.
pub fn put_set(bytes: &mut Vec<u8>, set: &SetPath, kind: SetKind, id: u32) {
    put_set_path(bytes, set);
    let (flags, capacity) = flags_and_capacity(kind);
    put_u32(bytes, uapi::set::FLAGS, flags);
    put_u32(bytes, uapi::set::KEY_TYPE, key_type(kind));
    put_u32(bytes, uapi::set::KEY_LENGTH, key_length(kind) as u32);
    if let Some(capacity) = capacity {
        put_nested(bytes, uapi::set::DESCRIPTION, |bytes| {
            put_u32(bytes, uapi::set_description::SIZE, capacity);
            if flags & FLAG_CONCATENATED != 0 {
                put_fields(bytes, kind);
            }
        });
    }
    put_u32(bytes, uapi::set::ID, id);
    if kind == SetKind::Times {
        put(bytes, uapi::set::USERDATA, &userdata::typeof_time());
    }
}

fn flags_and_capacity(kind: SetKind) -> (u32, Option<u32>) {
    match kind {
        SetKind::Hosts { capacity, .. }
        | SetKind::Published { capacity }
        | SetKind::PublishedAt { capacity, .. } => (0, Some(capacity)),
        SetKind::Intervals { .. } | SetKind::Times => (FLAG_INTERVAL, None),
        SetKind::DynamicPorts => (FLAGS_DYNAMIC, Some(SetKind::PORTS)),
        SetKind::RefusedSources { .. } => (FLAGS_DYNAMIC, Some(SetKind::REFUSED_SOURCES)),
        SetKind::RefusedPorts => (FLAGS_DYNAMIC, Some(SetKind::REFUSED_PORTS)),
        SetKind::LimitedSources { .. } => (FLAGS_DYNAMIC, Some(SetKind::LIMITED_SOURCES)),
        SetKind::LimitedPorts => (FLAGS_DYNAMIC, Some(SetKind::LIMITED_PORTS)),
        SetKind::LimitedFlows => (FLAGS_DYNAMIC, Some(SetKind::LIMITED_FLOWS)),
        SetKind::ConnectedSources { .. } => (FLAG_EVAL, Some(SetKind::LIMITED_SOURCES)),
        SetKind::BannedHosts { .. } => (FLAG_TIMEOUT, Some(SetKind::BANNED_HOSTS)),
        SetKind::GrantedHosts { .. } => (FLAG_TIMEOUT, Some(SetKind::GRANTED_HOSTS)),
        SetKind::GrantRanges { .. } => (FLAGS_RANGES, Some(SetKind::GRANT_RANGES)),
    }
}

/// The lengths of a concatenation's fields, in bytes.
fn put_fields(bytes: &mut Vec<u8>, kind: SetKind) {
    put_nested(bytes, uapi::set_description::CONCATENATION, |bytes| {
        for length in [key_length(kind) as u32 - 8, 1, 2] {
            put_nested(bytes, uapi::LIST_ELEMENT, |bytes| {
                put_u32(bytes, uapi::set_field::LENGTH, length);
            });
        }
    });
}

/// Appends the attributes of DELSET: the set's path.
pub fn put_set_path(bytes: &mut Vec<u8>, set: &SetPath) {
    put_string(bytes, uapi::set::TABLE, &set.table.table);
    put_string(bytes, uapi::set::NAME, &set.set);
}

/// Appends the attributes of NEWSETELEM or DELSETELEM with as many elements as a message can hold, each by
/// `put`, and returns the others.
pub(super) fn put_elements<'e, E>(
    bytes: &mut Vec<u8>,
    set: &SetPath,
    elements: &'e [E],
    put: impl Fn(&mut Vec<u8>, &E),
) -> &'e [E] {
    put_element_list(bytes, set);
    let mut rest = elements;
    put_nested(bytes, uapi::element_list::ELEMENTS, |bytes| {
        let start = bytes.len();
        while let Some((element, others)) = rest.split_first() {
            if bytes.len() - start > LIST_MAX {
                break;
            }
            put(bytes, element);
            rest = others;
        }
    });
    rest
}

/// About how many bytes this many elements take, with the headers of their messages.
pub fn elements_size(kind: SetKind, number: usize) -> usize {
    let key = 12 + element_length(kind);
    let element = if kind.is_intervals() { 2 * key + 8 } else { key };
    let list = number * element;
    list + (list / LIST_MAX + 1) * 512
}

/// Appends the set's path as messages about elements have it.
pub(super) fn put_element_list(bytes: &mut Vec<u8>, set: &SetPath) {
    put_string(bytes, uapi::element_list::TABLE, &set.table.table);
    put_string(bytes, uapi::element_list::SET, &set.set);
}

/// An interval is its first address, and the address behind its last one if there is any.
pub(super) fn put_interval(bytes: &mut Vec<u8>, kind: SetKind, interval: Interval) {
    if kind.is_published() {
        return put_service(bytes, kind, interval);
    }
    put_element(bytes, kind, interval.first, 0);
    if kind.is_intervals() && interval.last < maximum(kind) {
        put_element(bytes, kind, interval.last + 1, INTERVAL_END);
    }
}

fn put_element(bytes: &mut Vec<u8>, kind: SetKind, key: u128, flags: u32) {
    let key = key.to_be_bytes();
    put_key(bytes, &key[key.len() - element_length(kind)..], flags);
}

/// `203.0.113.5 . tcp . 443`. Each field of a concatenation is padded to four bytes.
fn put_service(bytes: &mut Vec<u8>, kind: SetKind, element: Interval) {
    let Some((address, protocol, port)) = element.service() else { return };
    let mut key = [0; 24];
    let [high, low] = port.to_be_bytes();
    key[..16].copy_from_slice(&address.to_be_bytes());
    key[16..].copy_from_slice(&[protocol.number(), 0, 0, 0, high, low, 0, 0]);
    put_key(bytes, &key[key.len() - key_length(kind)..], 0);
}

fn put_key(bytes: &mut Vec<u8>, key: &[u8], flags: u32) {
    // The lengths are known, so each header is written once: element, key, value.
    let flags_length = if flags == 0 { 0 } else { 8 };
    put_header(bytes, uapi::LIST_ELEMENT | NESTED, 12 + key.len() + flags_length);
    put_header(bytes, uapi::element::KEY | NESTED, 8 + key.len());
    put_header(bytes, uapi::data::VALUE, 4 + key.len());
    bytes.extend_from_slice(key);
    if flags != 0 {
        put_u32(bytes, uapi::element::FLAGS, flags);
    }
}

fn put_header(bytes: &mut Vec<u8>, number: u16, length: usize) {
    bytes.extend_from_slice(&(length as u16).to_ne_bytes());
    bytes.extend_from_slice(&number.to_ne_bytes());
}

pub(super) fn put_u32(bytes: &mut Vec<u8>, number: u16, value: u32) {
    put(bytes, number, &value.to_be_bytes());
}

fn key_type(kind: SetKind) -> u32 {
    let concatenation = |types: &[u32]| types.iter().fold(0, |all, it| all << TYPE_BITS | it);
    match kind {
        SetKind::Hosts { version, .. }
        | SetKind::Intervals { version }
        | SetKind::BannedHosts { version }
        | SetKind::LimitedSources { version }
        | SetKind::ConnectedSources { version } => address_type(version),
        SetKind::DynamicPorts => TYPE_PORT,
        SetKind::LimitedFlows => TYPE_CT_DIRECTION,
        SetKind::RefusedSources { version }
        | SetKind::GrantedHosts { version }
        | SetKind::GrantRanges { version }
        | SetKind::PublishedAt { version, .. } => {
            concatenation(&[address_type(version), TYPE_PROTOCOL, TYPE_PORT])
        }
        SetKind::RefusedPorts | SetKind::LimitedPorts | SetKind::Published { .. } => {
            concatenation(&[TYPE_PROTOCOL, TYPE_PORT])
        }
        SetKind::Times => TYPE_TIME,
    }
}

fn address_type(version: IpVersion) -> u32 {
    match version {
        IpVersion::V6 => TYPE_IPV6,
        IpVersion::V4 => TYPE_IPV4,
    }
}

/// In bytes. Each field of a concatenation is padded to four.
fn key_length(kind: SetKind) -> usize {
    match kind {
        SetKind::RefusedSources { version }
        | SetKind::GrantedHosts { version }
        | SetKind::GrantRanges { version }
        | SetKind::PublishedAt { version, .. } => version.address_bytes() + 8,
        SetKind::BannedHosts { version }
        | SetKind::LimitedSources { version }
        | SetKind::ConnectedSources { version } => version.address_bytes(),
        SetKind::RefusedPorts | SetKind::LimitedPorts | SetKind::Published { .. } => 8,
        SetKind::LimitedFlows => 1,
        _ => element_length(kind),
    }
}

/// Of an address, a port or a time, in bytes.
fn element_length(kind: SetKind) -> usize {
    match kind {
        SetKind::Times => 8,
        _ => kind.version().map_or(2, IpVersion::address_bytes),
    }
}

/// The highest address, port or time.
fn maximum(kind: SetKind) -> u128 {
    u128::MAX >> (128 - 8 * element_length(kind))
}

/// Whether a set is part of the rule that looks it up. The bytes are the attributes of
/// NEWSET.
pub(crate) fn is_anonymous(attributes: Attributes) -> bool {
    let flags = attributes.clone().find(uapi::set::FLAGS).and_then(|flags| flags.be_u32());
    flags.unwrap_or(0) & FLAG_ANONYMOUS != 0
}

/// A set's name and kind; its elements are still missing. The bytes are the attributes of NEWSET.
pub(crate) fn decode_set(attributes: Attributes) -> Option<(Name, InstalledSet)> {
    let name = attributes.clone().find(uapi::set::NAME)?.string().into();
    Some((name, InstalledSet { kind: decode_kind(&attributes), elements: Arc::default() }))
}

/// What the set's elements are, if it is of a kind that dwnl creates.
fn decode_kind(attributes: &Attributes) -> Option<SetKind> {
    let number = |attribute| attributes.clone().find(attribute)?.be_u32();
    let description = attributes.clone().find(uapi::set::DESCRIPTION);
    let size = description
        .and_then(|description| description.nested().find(uapi::set_description::SIZE)?.be_u32());
    let key = number(uapi::set::KEY_TYPE)?;
    let flags = number(uapi::set::FLAGS).unwrap_or(0);
    let version = IpVersion::ALL.into_iter().find(|version| address_type(*version) == key);
    let kind = match (version, flags, size) {
        (Some(version), 0, Some(capacity)) => SetKind::Hosts { version, capacity },
        (Some(version), FLAG_INTERVAL, None) => SetKind::Intervals { version },
        (None, FLAG_INTERVAL, None) if key == TYPE_TIME => SetKind::Times,
        (None, 0, Some(capacity)) => published_kinds(capacity).find(|it| key_type(*it) == key)?,
        (_, _, Some(_)) if !has_defaults(attributes) => {
            let is_it = |kind: &SetKind| {
                flags_and_capacity(*kind) == (flags, size) && key_type(*kind) == key
            };
            dynamic_kinds().find(is_it)?
        }
        _ => return None,
    };
    (number(uapi::set::KEY_LENGTH) == Some(key_length(kind) as u32)).then_some(kind)
}

/// The kinds of sets of published ports.
fn published_kinds(capacity: u32) -> impl Iterator<Item = SetKind> {
    let at = IpVersion::ALL.map(|version| SetKind::PublishedAt { version, capacity });
    at.into_iter().chain([SetKind::Published { capacity }])
}

/// The kinds whose elements come from rules or from hand.
fn dynamic_kinds() -> impl Iterator<Item = SetKind> {
    use SetKind::{
        BannedHosts, ConnectedSources, DynamicPorts, GrantRanges, GrantedHosts, LimitedFlows,
        LimitedPorts, LimitedSources, RefusedPorts, RefusedSources,
    };
    let of_version = |version| {
        [
            RefusedSources { version },
            LimitedSources { version },
            ConnectedSources { version },
            BannedHosts { version },
            GrantedHosts { version },
            GrantRanges { version },
        ]
    };
    let ports = [DynamicPorts, RefusedPorts, LimitedPorts, LimitedFlows];
    IpVersion::ALL.into_iter().flat_map(of_version).chain(ports)
}

/// Whether the set gives its elements a timeout or a state.
fn has_defaults(attributes: &Attributes) -> bool {
    use uapi::set::{EXPRESSION, EXPRESSIONS, TIMEOUT};
    attributes
        .clone()
        .any(|attribute| [EXPRESSION, EXPRESSIONS, TIMEOUT].contains(&attribute.number))
}

/// Whether an element is only the first address behind an interval. The bytes are one element of
/// NEWSETELEM.
pub(super) fn is_interval_end(element: &Attribute) -> bool {
    element_flags(element) & INTERVAL_END != 0
}

pub(super) fn element_flags(element: &Attribute) -> u32 {
    let flags = element.nested().find(uapi::element::FLAGS);
    flags.and_then(|flags| flags.be_u32()).unwrap_or(0)
}

/// The elements of a set in the order of the dump.
#[derive(Debug, Default)]
pub(crate) struct DumpedElements {
    /// The keys, each with whether an interval ends before it.
    pub keys: Vec<(u128, bool)>,
    /// The keys that are an address, a protocol and a port; `None` for one that dwnl never creates.
    pub services: Vec<Option<Interval>>,
    /// Whether one of them matches every key.
    pub catch_all: bool,
}

impl DumpedElements {
    /// Appends those of one message. The bytes are the attributes of NEWSETELEM.
    pub fn read(&mut self, attributes: Attributes) -> Option<()> {
        let list = attributes.clone().find(uapi::element_list::ELEMENTS);
        for element in list.into_iter().flat_map(|list| list.nested()) {
            let flags = element_flags(&element);
            if flags & CATCH_ALL != 0 {
                self.catch_all = true;
                continue;
            }
            let key =
                element.nested().find(uapi::element::KEY)?.nested().find(uapi::data::VALUE)?;
            let number = match key.payload.len() {
                4 => u128::from(key.be_u32()?),
                8 => u128::from(key.be_u64()?),
                12 | 24 => {
                    self.services.push(service(key.payload));
                    continue;
                }
                _ => u128::from_be_bytes(key.payload.try_into().ok()?),
            };
            self.keys.push((number, flags & INTERVAL_END != 0));
        }
        Some(())
    }

    /// The elements of the whole set as sorted intervals; `None` if there is one that dwnl never
    /// creates.
    pub fn into_intervals(self, kind: SetKind) -> Option<Vec<Interval>> {
        if kind.is_published() {
            return self.into_services();
        }
        let is_ours = |&(key, is_end): &(u128, bool)| {
            key <= maximum(kind) && (kind.is_intervals() || !is_end)
        };
        let all_ours = !self.catch_all && self.services.is_empty() && self.keys.iter().all(is_ours);
        all_ours.then(|| intervals(self.keys, kind))
    }

    /// The elements of a set of published ports.
    fn into_services(self) -> Option<Vec<Interval>> {
        let DumpedElements { keys, services, catch_all } = self;
        let without_address = keys.into_iter().map(|(key, is_end)| {
            let key = u64::try_from(key).ok().filter(|_| !is_end)?;
            service(&key.to_be_bytes())
        });
        let all: Option<Vec<Interval>> = services.into_iter().chain(without_address).collect();
        let mut all = all?;
        all.sort_unstable();
        all.dedup();
        (!catch_all).then_some(all)
    }
}

/// A key of a protocol and a port, perhaps behind an address.
fn service(key: &[u8]) -> Option<Interval> {
    let (address, service) = key.split_at_checked(key.len().checked_sub(8)?)?;
    let [protocol, _, _, _, high, low, _, _] = service else { return None };
    let protocol = Protocol::from_number(*protocol)?;
    let port = u16::from_be_bytes([*high, *low]);
    let address = address.iter().fold(0, |number, byte| number << 8 | u128::from(*byte));
    Some(Interval { first: address, ..Interval::of_service(None, protocol, port) })
}

fn intervals(mut keys: Vec<(u128, bool)>, kind: SetKind) -> Vec<Interval> {
    if !kind.is_intervals() {
        let mut hosts: Vec<Interval> =
            keys.into_iter().map(|(key, _)| Interval { first: key, last: key }).collect();
        hosts.sort_unstable_by_key(|host| host.first);
        hosts.dedup();
        return hosts;
    }
    // Where one interval ends and the next begins, the end comes first.
    keys.sort_unstable_by_key(|(number, is_end)| (*number, !*is_end));
    keys.dedup();
    let mut intervals = Vec::with_capacity(keys.len() / 2 + 1);
    let mut open = None;
    for (number, is_end) in keys {
        if let Some(first) = open.take() {
            intervals.push(Interval { first, last: number.saturating_sub(1) });
        }
        open = (!is_end).then_some(number);
    }
    intervals.extend(open.map(|first| Interval { first, last: maximum(kind) }));
    intervals
}
