//! The sets of a table, one line for each group of the policy.

use std::io::{self, Write};

use dwnl::model::{IpVersion, SetKind};
use dwnl::schedule_of_set;

use super::super::count::{Count, Thousands};
use super::super::format::Escaped;
use super::super::object::TableName;
use super::super::style::HEADING;
use super::{Definition, SetReport};

/// Writes the sets of a table, `cdn: 100,000 IPv4 sources (13 sets)`; nothing for no sets.
pub fn write(out: &mut dyn Write, table: TableName, sets: &[SetReport]) -> io::Result<()> {
    if sets.is_empty() {
        return Ok(());
    }
    writeln!(out, "{HEADING}{table}, sets:{HEADING:#}")?;
    let mut groups: Vec<&str> = Vec::new();
    for set in sets {
        match set.group {
            Some(group) if groups.contains(&group) => {}
            Some(group) => {
                groups.push(group);
                let of_group: Vec<&SetReport> =
                    sets.iter().filter(|it| it.group == Some(group)).collect();
                writeln!(out, "  {}: {}", Escaped(name(group)), sources(&of_group))?;
            }
            None => writeln!(out, "  {}: {}", Escaped(set.set), other(set))?,
        }
    }
    writeln!(out)
}

/// `cdn`, or `entry web` for an entry's own sources.
fn name(group: &str) -> String {
    group.strip_prefix('.').map_or(group.to_owned(), |entry| format!("entry {entry}"))
}

/// `100,000 IPv4 sources (13 sets), 7 IPv6 sources`
fn sources(sets: &[&SetReport]) -> String {
    let of_version = |version: IpVersion| {
        let is_of = |it: &&&SetReport| it.kind().and_then(SetKind::version) == Some(version);
        let counts: Vec<usize> =
            sets.iter().filter(is_of).map(|it| it.element_count.unwrap_or_default()).collect();
        let noun = match version {
            IpVersion::V4 => "IPv4 source",
            IpVersion::V6 => "IPv6 source",
        };
        let several = match counts.len() {
            0 => return None,
            1 => String::new(),
            number => format!(" ({} sets)", Thousands(number)),
        };
        Some(format!("{}{several}", Count(counts.iter().sum(), noun)))
    };
    IpVersion::ALL.into_iter().filter_map(of_version).collect::<Vec<_>>().join(", ")
}

/// What a set holds that is not a group's.
fn other(set: &SetReport) -> String {
    if let Some(Definition::Map) = set.definition {
        let number = set.element_count.unwrap_or_default();
        return format!("{} of ports, each with its chain", Count(number, "element"));
    }
    let text = match set.kind() {
        Some(SetKind::Published { .. } | SetKind::PublishedAt { .. }) => {
            return Count(set.element_count.unwrap_or_default(), "published port").to_string();
        }
        Some(SetKind::DynamicPorts) => "published ports, managed by the kernel",
        Some(SetKind::RefusedSources { .. }) => "refused sources, recorded by the kernel",
        Some(SetKind::BannedHosts { .. }) => "single addresses, banned by hand",
        Some(SetKind::GrantedHosts { .. }) => "single addresses, granted by hand",
        Some(SetKind::GrantRanges { .. }) => "networks, ranges and ports, by hand",
        Some(SetKind::RefusedPorts) => "refused ports, recorded by the kernel",
        Some(SetKind::Times) => {
            let number = set.element_count.unwrap_or_default();
            let words = schedule_of_set(set.set).unwrap_or_default();
            return format!("times, {} ({words})", Count(number, "period"));
        }
        Some(SetKind::LimitedSources { .. } | SetKind::LimitedPorts | SetKind::LimitedFlows) => {
            "rates of a limited entry, counted by the kernel"
        }
        Some(SetKind::ConnectedSources { .. }) => {
            "open flows of a limited entry, counted by the kernel"
        }
        Some(SetKind::Hosts { .. } | SetKind::Intervals { .. }) => "a set of no group",
        None => "foreign set (unsupported type)",
    };
    text.to_owned()
}
