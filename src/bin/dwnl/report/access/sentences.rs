//! The sentences of the summary.

use std::net::IpAddr;

use dwnl::access::{AccessChange, AccessDiff, Addresses, EntryChange, Permit};
use dwnl::model::{IpVersion, Ports, Protocol};
use dwnl::schedule_of_set;

use super::super::count::{Count, Thousands};
use super::super::format::join_limited;
use super::super::names::HostLabels;
use super::{Tense, shown, texts};

/// Maximum number of sources in a sentence.
const NAMED_MAX: usize = 3;

/// What changes for all entries.
pub fn protection(diff: &AccessDiff, tense: Tense) -> Vec<String> {
    let (before, after) = (diff.before, diff.after);
    let mut sentences = Vec::new();
    let is_changed = |before, after| before != after;
    if after.has_guard && is_changed(before.judges_host_network, after.judges_host_network) {
        sentences.push(match after.judges_host_network {
            true => "containers with --network=host: only sources that an entry allows can connect",
            false => "containers with --network=host: no longer restricted",
        });
    }
    if after.has_guard && is_changed(before.allows_direct_routing, after.allows_direct_routing) {
        sentences.push(match after.allows_direct_routing {
            true => "direct routing: entries also apply to the containers' own addresses",
            false => "direct routing: the containers' own addresses are blocked",
        });
    }
    if before.is_enforced && is_changed(before.has_guard, after.has_guard) {
        sentences.push(match after.has_guard {
            true => "guard on: paths around Docker's port forwards are blocked too",
            false => {
                "guard off: paths around Docker's port forwards are open (docker-proxy, the \
                 containers' own addresses, Docker's nftables backend)"
            }
        });
    }
    let mut sentences: Vec<String> = sentences.into_iter().map(str::to_owned).collect();
    if before.foreign_rules > 0 && after.foreign_rules == 0 {
        let rules = Count(before.foreign_rules, "foreign rule");
        let verb = match (tense, before.foreign_rules) {
            (Tense::Done, _) => "removed",
            (Tense::Planned, _) => "to remove",
        };
        sentences.push(format!("{rules} {verb} from dwnl's chains, with unknown effect on access"));
    }
    sentences.extend(enforcement(diff, tense));
    sentences
}

/// Whether published ports become blocked, or open. The entries that keep access follow.
fn enforcement(diff: &AccessDiff, tense: Tense) -> Option<String> {
    let verb = |planned: &'static str, done| if tense == Tense::Planned { planned } else { done };
    match (diff.before.is_enforced, diff.after.is_enforced) {
        (false, true) if admits_everyone(&diff.changes) => {
            let keeps = verb("keeps", "kept");
            Some(format!("everyone {keeps} access to the ports that Docker publishes, by:"))
        }
        (false, true) => {
            let except = if diff.changes.is_empty() { "" } else { ", except:" };
            let loses = verb("loses", "lost");
            Some(format!("- everyone {loses} access to the ports that Docker publishes{except}"))
        }
        (true, false) => {
            let gains = verb("gains", "gained");
            Some(format!("+ everyone {gains} access to the ports that Docker publishes"))
        }
        _ => None,
    }
}

/// Whether the entries admit everyone to every port without a condition.
fn admits_everyone(changes: &[AccessChange]) -> bool {
    let is_open = |change: &&AccessChange| {
        let has_conditions =
            change.in_interface.is_some() || !change.to.is_empty() || !change.times.is_empty();
        change.is_gain && !has_conditions && change.sources.is_everyone()
    };
    let open: Vec<&Ports> =
        changes.iter().filter(is_open).flat_map(|change| &change.ports).collect();
    Protocol::ALL.into_iter().all(|protocol| {
        let mut of_protocol = open.iter().filter(|it| it.protocol() == protocol);
        of_protocol.any(|it| (it.first(), it.last()) == (1, u16::MAX))
    })
}

/// `web 443/tcp, 443/udp through eth1 to 203.0.113.5 on mon-fri, 08:00-18:00 (UTC)`, and with `has_kind` ` (new entry)`.
pub fn service(change: &AccessChange, has_kind: bool) -> String {
    let AccessChange { entry, kind, ports, in_interface, to, times, .. } = change;
    let mut parts: Vec<String> = entry.iter().map(ToString::to_string).collect();
    parts.push(join_limited(&texts(ports)));
    parts.extend(in_interface.as_ref().map(|interface| format!("through {interface}")));
    if !to.is_empty() {
        parts.push(format!("to {}", join_limited(&texts(to))));
    }
    parts.extend(times.iter().map(|set| at_times(set)));
    match (kind, entry) {
        (EntryChange::Added, Some(_)) if has_kind => parts.push("(new entry)".to_owned()),
        (EntryChange::Removed, Some(_)) if has_kind => parts.push("(entry removed)".to_owned()),
        _ => {}
    }
    parts.join(" ")
}

/// `192.0.2.1, 192.0.2.2 and 5 others gain access`
pub fn effect(change: &AccessChange, names: &HostLabels, tense: Tense, verbose: bool) -> String {
    let (who, is_one) = subject(&change.sources, names, verbose);
    let verb = match (change.is_gain, tense, is_one) {
        (true, Tense::Planned, true) => "gains",
        (true, Tense::Planned, false) => "gain",
        (true, Tense::Done, _) => "gained",
        (false, Tense::Planned, true) => "loses",
        (false, Tense::Planned, false) => "lose",
        (false, Tense::Done, _) => "lost",
    };
    format!("{who} {verb} access")
}

/// `192.0.2.1, 192.0.2.2 and 5 others`
pub fn who(change: &AccessChange, names: &HostLabels, verbose: bool) -> String {
    subject(&change.sources, names, verbose).0
}

/// The sources, and whether the verb is in the singular.
fn subject(sources: &Addresses, names: &HostLabels, verbose: bool) -> (String, bool) {
    let maximum = if verbose { usize::MAX } else { NAMED_MAX };
    let most = IpVersion::ALL.map(|version| sources.is_most_of(version));
    if sources.is_everyone() {
        return ("everyone".to_owned(), true);
    }
    match most {
        [true, true] => (except("everyone", sources, &IpVersion::ALL, maximum), true),
        [true, false] if sources.of(IpVersion::V6).len() == 0 => {
            (except("every IPv4 address", sources, &[IpVersion::V4], maximum), true)
        }
        [false, true] if sources.of(IpVersion::V4).len() == 0 => {
            (except("every IPv6 address", sources, &[IpVersion::V6], maximum), true)
        }
        _ => {
            let texts: Vec<String> =
                shown(sources, maximum).into_iter().map(|text| named(text, names)).collect();
            (list(&texts, sources.count()), sources.count() == 1)
        }
    }
}

/// `192.0.2.7 (home.example.net)`
fn named(text: String, names: &HostLabels) -> String {
    match text.parse().ok().and_then(|address: IpAddr| names.get(&address)) {
        Some(name) => format!("{text} ({name})"),
        None => text,
    }
}

fn except(all: &str, sources: &Addresses, versions: &[IpVersion], maximum: usize) -> String {
    let others = sources.complement();
    let number: usize = versions.iter().map(|version| others.of(*version).len()).sum();
    if number == 0 {
        return all.to_owned();
    }
    // The addresses of IPv4 come first.
    let has_v4 = versions.contains(&IpVersion::V4);
    let skipped = if has_v4 { 0 } else { others.of(IpVersion::V4).len() };
    let texts = others.texts().skip(skipped);
    let texts: Vec<String> = texts.take(number.min(maximum)).map(|it| it.to_string()).collect();
    format!("{all} except {}", list(&texts, number))
}

/// `a`, `a and b`, `a, b and 5 others`
fn list(texts: &[String], number: usize) -> String {
    match (number - texts.len(), texts) {
        (0, [first @ .., last]) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        (0, _) => texts.concat(),
        (1, _) => format!("{} and 1 other", texts.join(", ")),
        (others, _) => format!("{} and {} others", texts.join(", "), Thousands(others)),
    }
}

/// ` (still allowed to 203.0.113.5)`
pub fn exceptions(change: &AccessChange) -> String {
    if change.except.is_empty() {
        return String::new();
    }
    let mut conditions: Vec<String> = change.except.iter().map(condition).collect();
    conditions.dedup();
    let adverb = if change.is_gain { "so far only" } else { "still allowed" };
    format!(" ({adverb} {})", join_limited(&conditions))
}

/// `on mon-fri, 08:00-18:00 (Europe/Berlin)`, `until 2026-12-01T17:00:00Z`
fn at_times(set: &str) -> String {
    let Some(words) = schedule_of_set(set) else { return format!("at the times of set {set}") };
    match words.chars().next() {
        _ if words.starts_with("until") || words.starts_with("not ") => words,
        Some('0'..='9') => format!("at {words}"),
        _ => format!("on {words}"),
    }
}

/// `through eth1 to 203.0.113.5`
fn condition(permit: &Permit) -> String {
    let interface = permit.in_interface.as_ref().map(|interface| format!("through {interface}"));
    let to = permit.to.as_ref().map(|to| format!("to {to}"));
    let times = permit.times.iter().map(|set| at_times(set));
    let conditions: Vec<String> = [interface, to].into_iter().flatten().chain(times).collect();
    match conditions.is_empty() {
        true => "by another entry".to_owned(),
        false => conditions.join(" "),
    }
}
