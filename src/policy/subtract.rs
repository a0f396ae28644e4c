//! The sources that an entry with `except` applies to.

use super::{Group, Source};
use crate::model::{Interval, IpVersion, merge_intervals};

/// The sources of `from` (`None`: everyone) without the addresses of `except`, as one group without a
/// name. Sources that `except` does not touch stay as they are, and what remains of the others keeps
/// their position.
pub(super) fn difference(from: Option<&[Group]>, except: &[Group]) -> Group {
    let excepted = IpVersion::ALL.map(|version| (version, addresses(except, version)));
    let mut remaining = Vec::new();
    let all: Vec<Source> = match from {
        Some(_) => Vec::new(),
        None => {
            IpVersion::ALL.map(|version| Interval::all(version).addresses(version).into()).into()
        }
    };
    for source in from.into_iter().flatten().flat_map(Group::sources).chain(&all) {
        let of_version = |(version, _): &&(IpVersion, _)| *version == source.version();
        match excepted.iter().find(of_version) {
            Some((version, excepted)) => push(source, *version, excepted, &mut remaining),
            None => remaining.push(source.clone()),
        }
    }
    Group::remainder(remaining)
}

/// The addresses of the groups that are of this IP version: sorted intervals that neither overlap nor
/// touch.
fn addresses(groups: &[Group], version: IpVersion) -> Vec<Interval> {
    let sources = groups.iter().flat_map(Group::sources);
    let sources = sources.filter(|source| source.version() == version);
    merge_intervals(sources.map(Source::interval).collect())
}

/// Appends what remains of a source.
fn push(source: &Source, version: IpVersion, excepted: &[Interval], remaining: &mut Vec<Source>) {
    let Interval { mut first, last } = source.interval();
    let begin = excepted.partition_point(|interval| interval.last < first);
    let touching = excepted.get(begin..).unwrap_or_default().iter();
    let mut touching = touching.take_while(|interval| interval.first <= last).peekable();
    if touching.peek().is_none() {
        return remaining.push(source.clone());
    }
    for interval in touching {
        if let Some(end) = interval.first.checked_sub(1).filter(|end| first <= *end) {
            remaining.push(source.part(Interval { first, last: end }, version));
        }
        match interval.last.checked_add(1) {
            Some(next) => first = next,
            None => return,
        }
    }
    if first <= last {
        remaining.push(source.part(Interval { first, last }, version));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::AddressSpec;
    use crate::policy::strategies::addresses as spec;

    fn group(texts: &[&str]) -> Group {
        let addresses = texts.iter().map(|text| text.parse::<AddressSpec>().expect("a source"));
        Group::named("g", addresses).expect("a group")
    }

    fn remaining(from: Option<&[&str]>, except: &[&str]) -> Vec<String> {
        let from = from.map(|texts| [group(texts)]);
        let rest = difference(from.as_ref().map(<[Group; 1]>::as_slice), &[group(except)]);
        rest.sources().iter().map(|source| source.addresses().to_string()).collect()
    }

    #[test]
    fn what_remains_is_written_as_networks_where_it_is_one() {
        assert_eq!(
            remaining(Some(&["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"]), &["10.0.0.0/9"]),
            ["10.128.0.0/9", "192.0.2.1", "2001:db8::/32"]
        );
        assert_eq!(
            remaining(Some(&["192.0.2.0/29"]), &["192.0.2.3", "192.0.2.4/31"]),
            ["192.0.2.0-192.0.2.2", "192.0.2.6/31"]
        );
        assert_eq!(remaining(None, &["255.255.255.255"]), ["0.0.0.0-255.255.255.254", "::/0"]);
        assert_eq!(remaining(None, &["::/1", "0.0.0.0/0"]), ["8000::/1"]);
        assert_eq!(remaining(Some(&["192.0.2.1"]), &["192.0.2.0/24"]), [""; 0]);
        assert_eq!(remaining(None, &[]), ["0.0.0.0/0", "::/0"]);
        // The end of this range is an IPv4-mapped address.
        assert_eq!(
            remaining(Some(&["::2-::1:0:0:5"]), &["::1:0:0:0/112"]),
            ["::2-::ffff:255.255.255.255"]
        );
    }

    proptest! {
        #[test]
        fn an_address_remains_if_it_is_in_one_list_and_not_in_the_other(
            from in prop::option::of(prop::collection::vec(spec(), 1..6)),
            except in prop::collection::vec(spec(), 0..6),
        ) {
            let group = |list: &Vec<AddressSpec>| Group::named("g", list.clone()).expect("a group");
            let groups = from.as_ref().map(|list| [group(list)]);
            let rest = difference(groups.as_ref().map(<[Group; 1]>::as_slice), &[group(&except)]);
            let ends = from.iter().flatten().chain(&except).flat_map(|it| [it.first(), it.last()]);
            for address in ends.flat_map(neighbours) {
                let has = |list: &[AddressSpec]| list.iter().any(|it| has(it, address));
                let expected = from.as_deref().is_none_or(has) && !has(&except);
                let found = rest.sources().iter().any(|it| self::has(&it.addresses(), address));
                prop_assert_eq!(found, expected, "{}", address);
            }
        }
    }

    fn has(addresses: &AddressSpec, address: std::net::IpAddr) -> bool {
        addresses.version() == IpVersion::of(address)
            && (addresses.first()..=addresses.last()).contains(&address)
    }

    /// The address, the one before and the one behind.
    fn neighbours(address: std::net::IpAddr) -> Vec<std::net::IpAddr> {
        use crate::model::{from_u128, to_u128};
        let (version, number) = (IpVersion::of(address), to_u128(address));
        let max = Interval::all(version).last;
        let around = [number.checked_sub(1), Some(number), number.checked_add(1)];
        let around = around.into_iter().flatten().filter(|it| *it <= max);
        around.map(|it| from_u128(it, version)).collect()
    }
}
