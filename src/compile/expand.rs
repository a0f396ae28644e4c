//! The parts of an entry that its rules are made of.

use ipnetwork::IpNetwork;

use crate::model::{AddressRange, AddressSpec, IpVersion, Name, Origin, Ports};
use crate::policy::{Entry, Group, Source};

/// Maximum length in bytes of a comment that nft can read (`NFTNL_UDATA_COMMENT_MAXLEN` less its
/// NUL).
const NFT_COMMENT_MAX: usize = 127;

/// The destination addresses of an entry that are of this IP version, `None` for any; none at all
/// if they are all of the other one.
pub(super) fn destinations(version: IpVersion, entry: &Entry) -> Vec<Option<&AddressSpec>> {
    if entry.to().is_empty() {
        return vec![None];
    }
    entry.to().iter().filter(|addresses| addresses.version() == version).map(Some).collect()
}

/// The ports of an entry that denies, each for rules of its own; `None` for every port.
pub(super) fn denied_ports(entry: &Entry) -> Vec<Option<Ports>> {
    if entry.is_for_every_port() {
        return vec![None];
    }
    entry.ports().iter().copied().map(Some).collect()
}

/// The sources of a group that are of this IP version.
pub(super) fn of_version(version: IpVersion, group: &Group) -> impl Iterator<Item = &Source> {
    group.sources().iter().filter(move |source| source.version() == version)
}

/// The entry, group and source that give rise to a rule.
pub(super) fn origin(entry: &Entry, group: Option<&Group>, source: Option<&Source>) -> Origin {
    Origin {
        entry: entry.name().cloned(),
        at: entry.at().cloned(),
        group: group.and_then(|group| group.name().cloned()),
        host: source.and_then(|source| source.host().map(|host| host.name().clone())),
        containers: entry.by_container().map(|it| it.containers().clone()).unwrap_or_default(),
        source: source.and_then(|source| source.at()),
    }
}

/// The addresses as a condition; a network of length 0 needs none.
pub(super) fn condition(addresses: Option<&AddressSpec>) -> Option<AddressSpec> {
    let is_any = |it: &AddressSpec| it.as_network().is_some_and(|network| network.prefix() == 0);
    addresses.copied().filter(|addresses| !is_any(addresses))
}

/// The network that a header condition can match; `/0` needs no condition.
pub(super) fn network(addresses: Option<&AddressSpec>) -> Option<IpNetwork> {
    condition(addresses)?.as_network()
}

/// The range that an extension can match.
pub(super) fn range(addresses: Option<&AddressSpec>) -> Option<AddressRange> {
    condition(addresses)?.as_range()
}

/// The entry's name as a comment that nft can read.
pub(super) fn comment(entry: &Entry) -> Option<Name> {
    Some(nft_comment(&entry.comment()?))
}

/// A name as a comment that nft can read: it knows no escapes, and its comments have at most 127
/// bytes.
pub(crate) fn nft_comment(name: &str) -> Name {
    let end = (0..=name.len().min(NFT_COMMENT_MAX)).rev().find(|end| name.is_char_boundary(*end));
    name[..end.unwrap_or(0)].replace('"', "'").into()
}
