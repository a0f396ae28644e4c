//! The published ports as a table of 80 columns.

use std::io::{self, Write};

use anstyle::Style;

use super::super::count::{Count, Thousands};
use super::super::format::Escaped;
use super::super::style::{ERROR, REMARK};
use super::super::table::{Cell, Column, Table};
use super::ports::{EntryReport, PortReport, PortState};
use super::refusals::PortRefusals;
use super::sources::Sources;

/// Maximum number of lines, unless all are to be shown.
const LINES_MAX: usize = 20;
/// The width of the table, and the least of its column of sources.
const WIDTH: usize = 80;
const SOURCES_MIN: usize = 16;

const COLUMNS: [Column; 7] = [
    Column("port", false),
    Column("entry", false),
    Column("open to", false),
    Column("packets", true),
    Column("refused", true),
    Column("last refused", false),
    Column("ago", true),
];
/// The position of the column of sources.
const SOURCES: usize = 2;

/// A line of the table: published ports, or another entry of those above.
struct Line<'a> {
    ports: String,
    entry: Option<&'a EntryReport<'a>>,
    state: PortState,
    refused: Option<PortRefusals>,
    /// How many reports it stands for; 0 for another entry.
    count: usize,
}

/// Writes the table. With `verbose`, neither lines nor sources are cut.
pub fn write_ports(out: &mut dyn Write, ports: &[PortReport], verbose: bool) -> io::Result<()> {
    let mut lines = lines(ports);
    let mut hidden = 0;
    if !verbose && lines.len() > LINES_MAX {
        let blocked = take_blocked(&mut lines);
        let rest = lines.split_off(shown(&lines, LINES_MAX - blocked.iter().count()));
        hidden = rest.iter().map(|line| line.count).sum();
        lines.extend(blocked);
    }
    let rows = |room| lines.iter().map(|line| line.cells(room)).collect();
    let room = Table::new(COLUMNS, rows(0)).room(SOURCES, WIDTH);
    let room = if verbose { usize::MAX } else { room.max(SOURCES_MIN) };
    Table::new(COLUMNS, rows(room)).write(out)?;
    match hidden {
        0 => Ok(()),
        more => writeln!(out, "{REMARK}{} more; -v shows all{REMARK:#}", Count(more, "line")),
    }
}

/// How many lines to show, at most `maximum`: no port without its last entry.
fn shown(lines: &[Line], maximum: usize) -> usize {
    if lines.len() <= maximum {
        return lines.len();
    }
    let is_start = |index: &usize| lines[*index].count > 0;
    (1..maximum).rev().find(is_start).unwrap_or(maximum - 1)
}

/// One line for all ports that nobody can reach, in place of theirs if they are many.
fn take_blocked<'a>(lines: &mut Vec<Line<'a>>) -> Option<Line<'a>> {
    const FEW: usize = 3;
    if lines.iter().filter(|it| it.state == PortState::Blocked).count() <= FEW {
        return None;
    }
    let (blocked, others): (Vec<Line>, Vec<Line>) =
        std::mem::take(lines).into_iter().partition(|it| it.state == PortState::Blocked);
    *lines = others;
    let count = blocked.iter().map(|line| line.count).sum();
    let refused = PortRefusals::sum(blocked.iter().filter_map(|line| line.refused.as_ref()));
    let noun = if lines.is_empty() { "ports" } else { "others" };
    let ports = format!("{} {noun}; -v lists them", Thousands(count));
    Some(Line { ports, entry: None, state: PortState::Blocked, refused, count })
}

fn lines<'a>(ports: &'a [PortReport<'a>]) -> Vec<Line<'a>> {
    let groups = ports.chunk_by(|one, next| one.shares_entries(next));
    groups.flat_map(|group| lines_of(group)).collect()
}

/// The lines of published ports that the same entries cover, and whose packets they count together.
fn lines_of<'a>(group: &'a [PortReport<'a>]) -> Vec<Line<'a>> {
    let Some(first) = group.first() else { return Vec::new() };
    let ports = match (group, first.entries.first()) {
        ([one], _) | ([one, ..], None) => one.published.to_string(),
        (_, Some(entry)) => format!("{} of {}", group.len(), entry.ports),
        ([], None) => String::new(),
    };
    let line =
        |ports, entry, count| Line { ports, entry, state: first.state, refused: None, count };
    let mut lines = vec![Line {
        refused: PortRefusals::sum(group.iter().filter_map(|it| it.refused.as_ref())),
        ..line(ports, first.entries.first(), group.len())
    }];
    lines.extend(first.entries.iter().skip(1).map(|it| line(String::new(), Some(it), 0)));
    lines
}

impl Line<'_> {
    /// The cells, with this room for the sources.
    fn cells(&self, room: usize) -> [Cell; 7] {
        let name = match self.entry {
            Some(EntryReport { entry: Some(name), .. }) => name,
            Some(EntryReport { containers, .. }) => containers.first().unwrap_or(&"(no name)"),
            None => "-",
        };
        let packets = self.entry.and_then(|entry| entry.packets);
        let refused = self.refused.as_ref();
        [
            self.ports.clone().into(),
            Escaped(name).to_string().into(),
            self.sources(room),
            packets.map(number).unwrap_or_default().into(),
            refused.map(|it| number(it.packets)).unwrap_or_default().into(),
            refused.and_then(|it| it.last_source.clone()).unwrap_or_default().into(),
            refused.and_then(PortRefusals::ago).unwrap_or_default().into(),
        ]
    }

    fn sources(&self, room: usize) -> Cell {
        let style = |style, text: &str| Cell { text: text.to_owned(), style };
        match (self.state, self.entry) {
            (PortState::Unprotected, _) => style(ERROR, "everyone (unprotected)"),
            (PortState::Blocked, _) | (_, None) => style(REMARK, "nobody"),
            (PortState::Allowed, Some(entry)) => {
                Cell { text: Sources(entry).fit(room), style: Style::new() }
            }
        }
    }
}

fn number(number: u64) -> String {
    Thousands(usize::try_from(number).unwrap_or(usize::MAX)).to_string()
}
