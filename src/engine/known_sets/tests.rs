//! What is stored is what was known, and nothing else is read from it.

use std::time::Duration;

use proptest::prelude::*;

use super::format::{Header, read_sets, write};
use super::{Identity, KnownSets, is_recent};
use crate::engine::set_cache::Sets;
use crate::model::{Family, Interval, SetPath, TablePath, merge_intervals};

fn header() -> Header {
    let identity = Identity { boot: 1 << 100, namespace: 0x1_0000_0001, module: 7 };
    let checked = Duration::from_secs(77);
    Header { identity, checked, generation: u32::MAX, matches_sockets: Some(true) }
}

fn path(set: usize) -> SetPath {
    let table = TablePath { family: Family::Inet, table: "dwnl".into() };
    SetPath { table, set: format!("cdn-4.{set}").into() }
}

fn elements() -> impl Strategy<Value = Vec<Interval>> {
    let limits = prop_oneof![Just(u32::MAX.into()), Just(u64::MAX.into()), Just(u128::MAX)];
    let number = limits.prop_flat_map(|limit: u128| 0..=limit);
    let host = number.clone().prop_map(Interval::host);
    let interval =
        (number.clone(), number).prop_map(|(a, b)| Interval { first: a.min(b), last: a.max(b) });
    let hosts = prop::collection::vec(host, 0..40);
    prop_oneof![
        hosts.clone(),
        (hosts, prop::collection::vec(interval, 0..3)).prop_map(|(a, b)| [a, b].concat())
    ]
    .prop_map(merge_intervals)
}

fn sets() -> impl Strategy<Value = Sets> {
    prop::collection::vec(elements(), 0..4).prop_map(|sets| {
        sets.into_iter().enumerate().map(|(set, elements)| (path(set), elements.into())).collect()
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(sets in sets()) {
        let bytes = write(&header(), &sets);
        prop_assert_eq!(Header::read(&bytes), Some(header()));
        prop_assert_eq!(read_sets(&bytes), Some(sets));
    }

    #[test]
    fn a_part_of_it_is_never_read_as_all(sets in sets(), cut in any::<prop::sample::Index>()) {
        let mut bytes = write(&header(), &sets);
        bytes.truncate(cut.index(bytes.len()));
        let read = read_sets(&bytes);
        prop_assert!(read.is_none_or(|read| read.len() < sets.len() && read.iter().all(|it| sets.get(it.0) == Some(it.1))));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(sets in sets(), bytes in any::<Vec<u8>>(), at in any::<prop::sample::Index>()) {
        let mut written = write(&header(), &sets);
        let at = at.index(written.len());
        written.splice(at.., bytes);
        for elements in read_sets(&written).unwrap_or_default().values() {
            prop_assert!(elements.is_sorted_by(|a, b| a.last < b.first));
        }
    }
}

#[test]
fn what_is_no_list_of_intervals_is_left_out() {
    let interval = |first, last| Interval { first, last };
    let lists = [
        vec![interval(2, 1)],
        vec![interval(1, 3), interval(3, 4)],
        vec![interval(3, 4), interval(1, 1)],
        vec![interval(1, 1), interval(2, 2)],
    ];
    let sets: Sets = lists.into_iter().enumerate().map(|(n, it)| (path(n), it.into())).collect();
    let read = read_sets(&write(&header(), &sets)).expect("sets");
    assert_eq!(read.keys().cloned().collect::<Vec<_>>(), [path(3)]);
}

#[test]
fn another_version_is_not_read() {
    let mut bytes = write(&header(), &Sets::new());
    assert!(KnownSets::from_bytes(bytes.clone()).is_some());
    bytes[10] += 1;
    assert_eq!(KnownSets::from_bytes(bytes), None);
    assert_eq!(KnownSets::from_bytes(Vec::new()), None);
}

#[test]
fn what_is_old_or_of_the_future_is_not_recent() {
    let (hour, limit) = (Duration::from_secs(3600), Duration::from_secs(6 * 3600));
    for (then, now, expected) in [
        (hour, Some(hour), true),
        (hour, Some(7 * hour), true),
        (hour, Some(7 * hour + Duration::from_secs(1)), false),
        (hour, Some(Duration::ZERO), false),
        (hour, None, false),
    ] {
        assert_eq!(is_recent(then, now, limit), expected, "{now:?}");
    }
}
