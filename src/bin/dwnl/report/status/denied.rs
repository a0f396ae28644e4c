//! What the entries that deny have refused.

use std::io::{self, Write};

use dwnl::Policy;
use dwnl::engine::PolicyCounters;
use dwnl::policy::Deny;
use serde::Serialize;

use super::super::access::texts;
use super::super::count::Thousands;
use super::super::format::{Escaped, LocationReport};
use super::ports::{names, source_count};
use super::text::line;

/// An entry that denies.
#[derive(Debug, Serialize)]
pub struct DeniedReport<'a> {
    entry: Option<&'a str>,
    entry_location: Option<LocationReport<'a>>,
    /// `None`: every port.
    ports: Option<Vec<String>>,
    in_interface: Option<String>,
    to: Vec<String>,
    /// The groups and the entry's own sources; `None`: anyone.
    from: Option<Vec<String>>,
    /// Addresses, prefixes and ranges; `None`: anyone.
    source_count: Option<usize>,
    /// The groups and sources that it excepts.
    except: Vec<String>,
    /// Packets refused, and their bytes; `None`: not counted.
    packets: Option<u64>,
    bytes: Option<u64>,
}

impl<'a> DeniedReport<'a> {
    /// The entries of the policy that deny, in their order. With `verbose`, all sources are listed.
    pub fn all(
        policy: &'a Policy,
        counters: &PolicyCounters,
        verbose: bool,
    ) -> Vec<DeniedReport<'a>> {
        let report = |(index, entry): (usize, &'a Deny)| {
            let counted = counters.denied.get(index).filter(|it| it.index == index);
            DeniedReport {
                entry: entry.name().map(|name| &**name),
                entry_location: entry.at().map(LocationReport::from),
                ports: (!entry.is_for_every_port()).then(|| texts(entry.ports())),
                in_interface: entry.in_interface().map(ToString::to_string),
                to: texts(entry.to()),
                from: entry.from().map(|groups| names(groups, verbose)),
                source_count: entry.from().map(source_count),
                except: names(entry.except(), verbose),
                packets: counted.map(|it| it.packets),
                bytes: counted.map(|it| it.bytes),
            }
        };
        policy.deny().iter().enumerate().map(report).collect()
    }
}

/// Maximum number of entries that are listed, unless all are to be shown.
const SHOWN_MAX: usize = 10;

/// `denied:    bans 1,234 packets, scanners 0`
pub fn write_denied(out: &mut dyn Write, denied: &[DeniedReport], verbose: bool) -> io::Result<()> {
    if denied.is_empty() {
        return Ok(());
    }
    let shown = if verbose { denied.len() } else { denied.len().min(SHOWN_MAX) };
    let (shown, others) = denied.split_at(shown);
    let mut words: Vec<String> = shown
        .iter()
        .map(|entry| {
            let name = Escaped(entry.entry.unwrap_or("(no name)"));
            let packets = entry.packets.unwrap_or(0);
            let unit = if packets == 1 { "packet" } else { "packets" };
            format!("{name} {} {unit}", Thousands(usize::try_from(packets).unwrap_or(usize::MAX)))
        })
        .collect();
    if !others.is_empty() {
        words.push(format!("{} more; -v shows all", Thousands(others.len())));
    }
    line(out, "denied", &words.join(", "))
}
