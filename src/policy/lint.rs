//! What is valid in a policy but probably not meant: entries without effect, and values that no packet
//! matches. Nothing but the policy itself is looked at.

use std::cell::OnceCell;

use super::warning::WarningKind;
use super::{Allow, Entry, Group, Moment, Policy, Schedule, ScheduleState, Source};
use crate::model::{AddressSpec, Interface, Interval, IpVersion, merge_intervals};

/// Maximum number of entries that are compared with each other: the time grows with its square.
const COMPARED_MAX: usize = 1000;

/// The entries that change nothing, each with the reason: another entry covers all of them, an entry denies
/// all that they allow, or they except all of their sources. Of entries that cover the same, the first one
/// stays.
pub(super) fn ineffective_entries(policy: &Policy) -> Vec<(&Entry, WarningKind)> {
    let deny: Vec<Scope> = policy.deny().iter().map(|entry| Scope::of(entry)).collect();
    let allow: Vec<Scope> = policy.allow().iter().map(Scope::of_allow).collect();
    let is_compared = deny.len() + allow.len() <= COMPARED_MAX;
    let denied = deny.iter().enumerate().filter_map(|(index, scope)| {
        let covered = || is_compared.then(|| covered(&deny, index)).flatten();
        let kind = scope.without_sources().or_else(|| {
            let (by, _) = covered()?;
            Some(WarningKind::ShadowedDeny { by: by.label() })
        })?;
        Some((scope.entry, kind))
    });
    let allowed = allow.iter().enumerate().filter_map(|(index, scope)| {
        let kind = scope.without_sources().or_else(|| {
            let mut compared = deny.iter().filter(|_| is_compared);
            let denying = compared.find(|other| other.covers(scope));
            let by = denying.map(|denying| denying.entry.label());
            by.map(|by| WarningKind::DeniedEntry { by })
        });
        let kind =
            kind.or_else(|| match is_compared.then(|| covered(&allow, index)).flatten()? {
                (of, true) => Some(WarningKind::DuplicateEntry { of: of.label() }),
                (by, false) => Some(WarningKind::ShadowedEntry { by: by.label() }),
            })?;
        Some((scope.entry, kind))
    });
    denied.chain(allowed).collect()
}

/// Another entry that covers all of this one, and whether both cover the same. Of entries that cover the
/// same, the first one is covered by none of them.
fn covered<'p>(scopes: &[Scope<'p>], index: usize) -> Option<(&'p Entry, bool)> {
    let scope = scopes.get(index)?;
    scopes.iter().enumerate().find_map(|(other, wider)| {
        let is_covered = index != other && wider.covers(scope);
        let is_same = is_covered && scope.covers(wider);
        (is_covered && (!is_same || other < index)).then_some((wider.entry, is_same))
    })
}

/// The entries that do not apply any more, each with the reason.
pub(super) fn ended_entries(policy: &Policy, now: Moment) -> Vec<(&Entry, WarningKind)> {
    let ended = |schedule: &Schedule| -> Option<WarningKind> {
        let has_ended = schedule.state(now) == ScheduleState::Ended;
        let until = schedule.until().filter(|until| *until <= now);
        has_ended.then(|| match until {
            Some(until) => WarningKind::EndedEntry { until: schedule.zone().display(until).into() },
            None => WarningKind::ClosedEntry,
        })
    };
    policy.entries().filter_map(|entry| Some((entry, ended(entry.schedule()?)?))).collect()
}

/// That the source is `0.0.0.0` or `::` alone.
pub(super) fn source(addresses: &AddressSpec) -> Option<WarningKind> {
    is_unspecified(addresses).then_some(WarningKind::UnspecifiedSource(*addresses))
}

/// The same of a destination.
pub(super) fn destination(addresses: &AddressSpec) -> Option<WarningKind> {
    is_unspecified(addresses).then_some(WarningKind::UnspecifiedDestination(*addresses))
}

/// That the name of an interface contains `*`, which is no wildcard.
pub(super) fn interface(interface: &Interface) -> Option<WarningKind> {
    let has_star = interface.name().contains('*');
    has_star.then(|| WarningKind::StarInInterface(interface.clone()))
}

fn is_unspecified(addresses: &AddressSpec) -> bool {
    let first = addresses.first();
    first.is_unspecified() && first == addresses.last()
}

/// What one entry covers. The addresses are prepared when they are needed first.
struct Scope<'p> {
    entry: &'p Entry,
    is_limited: bool,
    from: OnceCell<Addresses>,
    to: OnceCell<Addresses>,
}

impl<'p> Scope<'p> {
    fn of(entry: &'p Entry) -> Scope<'p> {
        Scope { entry, is_limited: false, from: OnceCell::new(), to: OnceCell::new() }
    }

    fn of_allow(entry: &'p Allow) -> Scope<'p> {
        Scope { is_limited: !entry.limits().is_none(), ..Scope::of(entry) }
    }

    /// That the entry excepts all of its sources.
    fn without_sources(&self) -> Option<WarningKind> {
        let has_sources = |groups: &[Group]| groups.iter().any(|it| !it.sources().is_empty());
        let is_left = self.entry.sources().is_none_or(has_sources);
        let has_any = self.entry.from().is_none_or(has_sources);
        (has_any && !is_left).then_some(WarningKind::NothingLeft)
    }

    /// Whether this entry covers all of the other one. One with limits may not.
    fn covers(&self, other: &Scope) -> bool {
        // The ports of containers may be others at any time.
        if [self, other].iter().any(|it| it.entry.by_container().is_some()) {
            return false;
        }
        let ports = self.entry.ports();
        !self.is_limited
            && other.entry.ports().iter().all(|port| ports.iter().any(|wider| wider.includes(port)))
            && covers_interface(self.entry.in_interface(), other.entry.in_interface())
            && covers_schedule(self.entry.schedule(), other.entry.schedule())
            && self.covers_destinations(other)
            && self.covers_sources(other)
    }

    fn covers_destinations(&self, other: &Scope) -> bool {
        let (wider, narrower) = (self.entry.to(), other.entry.to());
        wider.is_empty()
            || wider == narrower
            || (!narrower.is_empty() && self.destinations().cover(other.destinations()))
    }

    fn covers_sources(&self, other: &Scope) -> bool {
        let (Some(wider), Some(narrower)) = (self.entry.sources(), other.entry.sources()) else {
            return self.entry.sources().is_none();
        };
        let are_same = narrower.iter().all(|group| wider.iter().any(|it| is_same_list(it, group)));
        // The addresses of names change, so they are covered by the same names alone.
        let has_names = other.entry.groups().any(|group| !group.names().is_empty());
        match has_names {
            true => are_same && self.entry.except().is_empty() && other.entry.except().is_empty(),
            false => are_same || self.sources().cover(other.sources()),
        }
    }

    fn sources(&self) -> &Addresses {
        let groups = || self.entry.sources().into_iter().flatten();
        self.from
            .get_or_init(|| Addresses::of(groups().flat_map(Group::sources).map(Source::addresses)))
    }

    fn destinations(&self) -> &Addresses {
        self.to.get_or_init(|| Addresses::of(self.entry.to().iter().copied()))
    }
}

fn is_same_list(a: &Group, b: &Group) -> bool {
    std::ptr::eq(a.sources(), b.sources()) && a.names() == b.names()
}

/// Whether every interface that `narrower` matches is matched by `wider`, as far as is obvious.
fn covers_interface(wider: Option<&Interface>, narrower: Option<&Interface>) -> bool {
    match (wider, narrower) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wider), Some(narrower)) => {
            let is_prefix = wider.is_wildcard() && !wider.is_negated() && !narrower.is_negated();
            wider == narrower || (is_prefix && narrower.name().starts_with(&**wider.name()))
        }
    }
}

/// Whether `wider` applies whenever `narrower` does, as far as is obvious.
fn covers_schedule(wider: Option<&Schedule>, narrower: Option<&Schedule>) -> bool {
    wider.is_none_or(|wider| narrower.is_some_and(|narrower| wider.covers(narrower)))
}

/// Addresses of both IP versions as sorted intervals that neither overlap nor touch.
struct Addresses([Vec<Interval>; 2]);

impl Addresses {
    fn of(addresses: impl Iterator<Item = AddressSpec>) -> Addresses {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for addresses in addresses {
            let intervals = if addresses.version() == IpVersion::V6 { &mut v6 } else { &mut v4 };
            intervals.push(Interval::of(&addresses));
        }
        Addresses([merge_intervals(v4), merge_intervals(v6)])
    }

    fn cover(&self, other: &Addresses) -> bool {
        self.0.iter().zip(&other.0).all(|(wider, narrower)| {
            narrower.iter().all(|part| {
                let end = wider.partition_point(|interval| interval.first <= part.first);
                let interval = end.checked_sub(1).and_then(|index| wider.get(index));
                interval.is_some_and(|interval| part.last <= interval.last)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Policy {
        Policy::parse(text, "p", std::path::Path::new("")).expect("a policy")
    }

    /// The names of the entries without effect, each with the id of the warning.
    fn found(entries: &[&str]) -> Vec<String> {
        let entry = |(index, entry): (usize, &&str)| {
            let (key, entry) = match entry.strip_prefix("deny: ") {
                Some(entry) => ("deny", entry),
                None => ("allow", *entry),
            };
            format!("[[{key}]]\nname = '{index}'\n{}\n", entry.replace("; ", "\n"))
        };
        let text: String = entries.iter().enumerate().map(entry).collect();
        let policy = policy(&text);
        let name = |entry: &Entry| entry.name().expect("a name").to_string();
        let found = ineffective_entries(&policy);
        found.iter().map(|(entry, kind)| format!("{} {}", name(entry), kind.id())).collect()
    }

    #[test]
    fn an_entry_is_shadowed_by_one_that_allows_more() {
        let narrow = "ports = ['443']; from = ['192.0.2.0/25', '192.0.2.128/25']";
        for wide in [
            "ports = ['443']",
            "ports = ['1-1000']; from = ['192.0.2.0/24']",
            "ports = ['443']; from = ['192.0.0.0-192.0.3.0', '2001:db8::1']",
        ] {
            assert_eq!(found(&[narrow, wide]), ["0 shadowed_entry"], "{wide}");
            assert_eq!(found(&[wide, narrow]), ["1 shadowed_entry"], "{wide}");
        }
        for other in [
            "ports = ['443/udp']",
            "ports = ['443']; from = ['192.0.2.0/23']; in-interface = 'eth0'",
            "ports = ['443']; from = ['192.0.1.1-192.0.2.254']",
            "ports = ['443']; to = ['192.0.2.1']",
        ] {
            assert_eq!(found(&[narrow, other]), [""; 0], "{other}");
        }
    }

    #[test]
    fn an_entry_has_no_effect_if_another_denies_all_of_it() {
        let web = "ports = ['443']; from = ['192.0.2.0/25']";
        for wide in ["deny: from = ['192.0.2.0/24']", "deny: ports = ['443']", "deny: "] {
            assert_eq!(found(&[web, wide]), ["0 denied_entry"], "{wide}");
        }
        for other in [
            "deny: from = ['192.0.2.0/24']; except = ['192.0.2.7']",
            "deny: ports = ['443/udp']",
            "deny: from = ['192.0.2.1']",
        ] {
            assert_eq!(found(&[web, other]), [""; 0], "{other}");
        }
        let denies = ["deny: from = ['192.0.2.1']", "deny: from = ['192.0.2.0/24']"];
        assert_eq!(found(&denies), ["0 shadowed_deny"]);
        assert_eq!(found(&[denies[0], denies[0]]), ["1 shadowed_deny"]);
        // The narrower entry is not redundant where the wider one excepts its sources.
        let wide = "ports = ['443']; except = ['192.0.2.1']";
        assert_eq!(found(&["ports = ['443']; from = ['192.0.2.1']", wide]), [""; 0]);
    }

    #[test]
    fn an_entry_has_no_effect_if_it_excepts_all_of_its_sources() {
        for from in ["from = ['192.0.2.1', '2001:db8::/32']; ", ""] {
            let text = format!("ports = ['443']; {from}except = ['0.0.0.0/0', '::/0']");
            assert_eq!(found(&[&text, "ports = ['443']"]), ["0 nothing_left"], "{from}");
        }
        assert_eq!(
            found(&["deny: from = ['192.0.2.1']; except = ['192.0.2.1']"]),
            ["0 nothing_left"]
        );
    }

    #[test]
    fn of_equal_entries_the_later_ones_are_duplicates() {
        let entry = "ports = ['443', '80']; from = ['192.0.2.0/24']; to = ['192.0.2.1']";
        let same = "ports = ['80', '443']; from = ['192.0.2.0-192.0.2.255']; to = ['192.0.2.1']";
        assert_eq!(found(&[entry, same, entry]), ["1 duplicate_entry", "2 duplicate_entry"]);
    }

    #[test]
    fn interfaces_and_destinations_are_compared() {
        let one = "ports = ['443']; in-interface = 'eth0'; to = ['192.0.2.1']";
        for wide in [
            "ports = ['443']; in-interface = 'eth0'",
            "ports = ['443']; in-interface = 'eth+'; to = ['192.0.2.0/24']",
            "ports = ['443']; to = ['192.0.2.1', '2001:db8::1']",
        ] {
            assert_eq!(found(&[one, wide]), ["0 shadowed_entry"], "{wide}");
        }
        for other in
            ["ports = ['443']; in-interface = 'eth1'", "ports = ['443']; in-interface = '!eth0'"]
        {
            assert_eq!(found(&[one, other]), [""; 0], "{other}");
        }
    }

    #[test]
    fn many_entries_are_not_compared() {
        let entries = vec!["ports = ['443']"; COMPARED_MAX + 1];
        assert_eq!(found(&entries), [""; 0]);
        assert_eq!(found(&entries[1..]).len(), COMPARED_MAX - 1);
    }
}
