//! `max-shrink`: refuses a source file that has lost too many of the sources that it had before.

use std::collections::HashMap;
use std::str::FromStr;

use super::diag::{Diagnostic, Issue, ParseError, Quoted};
use super::{Group, Policy, Source};
use crate::model::{Interval, IpVersion, Name, coalesce};

/// The largest share of its sources that a list may lose, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxShrink(u8);

/// Such as `50%`.
impl FromStr for MaxShrink {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<MaxShrink, ParseError> {
        let digits = text.strip_suffix('%').unwrap_or_default();
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let percent = digits.parse().ok().filter(|percent| is_number && *percent <= 100);
        percent.map(MaxShrink).ok_or_else(|| {
            Issue::new(format!("{} is not a percentage from 0% to 100%", Quoted(text)))
                .help("write a whole number with a percent sign, such as \"50%\"")
                .into()
        })
    }
}

impl MaxShrink {
    fn is_exceeded(self, lost: usize, before: usize) -> bool {
        lost as u64 * 100 > before as u64 * u64::from(self.0)
    }
}

/// The limit of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ShrinkLimit {
    pub group: Name,
    pub max: MaxShrink,
    /// A diagnostic at the value of the key, without its texts.
    pub place: Diagnostic,
}

/// The errors of the groups of `new` that have lost more sources than their limit permits since
/// `previous`. A group that `previous` does not use has no limit.
pub(super) fn check(limits: &[ShrinkLimit], previous: &Policy, new: &Policy) -> Vec<Diagnostic> {
    if limits.is_empty() {
        return Vec::new();
    }
    let (previous, new) = (groups(previous), groups(new));
    limits
        .iter()
        .filter_map(|limit| {
            let (previous, new) = (previous.get(&limit.group)?, new.get(&limit.group)?);
            check_group(limit, previous.sources(), new.sources())
        })
        .collect()
}

fn check_group(limit: &ShrinkLimit, previous: &[Source], new: &[Source]) -> Option<Diagnostic> {
    let loss = loss(limit.max, previous, new)?;
    let message = format!("group {} {loss}", Quoted(&limit.group));
    let help = "check the source file; if it is correct, raise `max-shrink`";
    Some(Diagnostic { message, help: Some(help.to_owned()), ..limit.place.clone() })
}

/// That more sources of `previous` are lost in `new` than the limit permits.
pub(super) fn loss(max: MaxShrink, previous: &[Source], new: &[Source]) -> Option<String> {
    let (before, lost) = (previous.len(), lost(previous, new));
    max.is_exceeded(lost, before).then(|| {
        format!("has lost {lost} of its {before} sources, more than the {}% permitted", max.0)
    })
}

/// The groups with a name that a policy uses.
fn groups(policy: &Policy) -> HashMap<&Name, &Group> {
    policy.groups().filter_map(|group| Some((group.name()?, group))).collect()
}

/// How many sources have an address that no source of `new` covers.
fn lost(previous: &[Source], new: &[Source]) -> usize {
    let covered = [IpVersion::V4, IpVersion::V6].map(|version| covered(new, version));
    let is_lost = |source: &&Source| {
        let [v4, v6] = &covered;
        let intervals = if source.version() == IpVersion::V6 { v6 } else { v4 };
        let source = source.interval();
        let behind = intervals.partition_point(|interval| interval.first <= source.first);
        let before = behind.checked_sub(1).and_then(|index| intervals.get(index));
        before.is_none_or(|interval| interval.last < source.last)
    };
    previous.iter().filter(is_lost).count()
}

/// The addresses of the sources of one IP version: sorted intervals that neither overlap nor touch.
fn covered(sources: &[Source], version: IpVersion) -> Vec<Interval> {
    let of_version = sources.iter().filter(|source| source.version() == version);
    let (hosts, intervals) = coalesce::<u128>(of_version.map(Source::interval));
    let mut all = intervals;
    all.extend(hosts.into_iter().map(Interval::host));
    all.sort_unstable();
    all.dedup_by(|next, last| {
        let touches = last.last.checked_add(1) == Some(next.first);
        if touches {
            last.last = next.last;
        }
        touches
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(texts: &[&str]) -> Vec<Source> {
        let source = |text: &&str| {
            Source::from(text.parse::<crate::model::AddressSpec>().expect("a source"))
        };
        texts.iter().map(source).collect()
    }

    #[test]
    fn a_source_is_lost_if_the_new_ones_do_not_cover_it() {
        let lost = |previous: &[&str], new: &[&str]| lost(&sources(previous), &sources(new));
        assert_eq!(lost(&["192.0.2.1", "192.0.2.2"], &["192.0.2.2"]), 1);
        assert_eq!(lost(&["192.0.2.0/25", "192.0.2.128/25"], &["192.0.2.0/24"]), 0);
        assert_eq!(lost(&["192.0.2.0/24"], &["192.0.2.0/25", "192.0.2.128/25"]), 0);
        assert_eq!(lost(&["192.0.2.0/24"], &["192.0.2.0/25"]), 1);
        assert_eq!(lost(&["192.0.2.0/30"], &["192.0.2.0/31", "192.0.2.2", "192.0.2.3"]), 0);
        assert_eq!(lost(&["2001:db8::1", "192.0.2.1"], &["2001:db8::/64"]), 1);
        assert_eq!(lost(&["::/0", "0.0.0.0/0"], &[]), 2);
        assert_eq!(lost(&["::/0"], &["::/1", "8000::/1"]), 0);
    }

    #[test]
    fn a_percentage_is_a_whole_number_up_to_100() {
        let exceeded = |text: &str, lost, before| {
            text.parse::<MaxShrink>().map(|max| max.is_exceeded(lost, before)).ok()
        };
        assert_eq!(exceeded("50%", 1, 2), Some(false));
        assert_eq!(exceeded("50%", 2, 3), Some(true));
        assert_eq!(exceeded("0%", 1, 1_000_000), Some(true));
        assert_eq!(exceeded("0%", 0, 0), Some(false));
        for wrong in ["", "%", "50", "+5%", "101%", "1000%", "5.5%", " 5%"] {
            assert_eq!(exceeded(wrong, 1, 1), None, "{wrong}");
        }
    }
}
