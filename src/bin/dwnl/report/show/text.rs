//! The report of `show` for people.

use std::io::{self, Write};

use anstyle::Style;
use dwnl::model::{Family, Ownership};

use super::super::Report;
use super::super::count::Count;
use super::super::format::Escaped;
use super::super::style::{ERROR, HEADING};
use super::table::write_table;
use super::{ChainReport, MissingRule, SetReport, Show, TableReport};

impl Report for Show<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for table in &self.tables {
            table.write(out)?;
        }
        for translations in &self.foreign_translations {
            writeln!(out, "{}", Escaped(translations))?;
        }
        if self.guards_new_ports == Some(false) {
            writeln!(
                out,
                "no rule matches docker-proxy's sockets: a port that Docker publishes from now on is \
                 guarded over IPv6 by the next apply"
            )?;
        }
        writeln!(out, "generation {}", self.generation)
    }
}

impl TableReport<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let name = format!("{} {}", self.family, self.table);
        if !self.installed {
            write!(out, "{HEADING}{name}:{HEADING:#} ")?;
            return match self.family {
                // It is told of only where it is needed.
                Family::Inet => writeln!(out, "{ERROR}missing{ERROR:#}\n"),
                _ => writeln!(out, "not installed\n"),
            };
        }
        for set in &self.sets {
            write!(out, "{HEADING}{name} {}:{HEADING:#} ", set.set)?;
            set.write(out)?;
        }
        for chain in &self.chains {
            write!(out, "{HEADING}{name} {}:{HEADING:#} ", chain.chain)?;
            chain.write_state(out)?;
            write_table(out, &chain.rules)?;
            for MissingRule { wanted_position, rule } in &chain.missing {
                writeln!(out, "missing, should be at position {wanted_position}: {rule}")?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

impl ChainReport<'_> {
    fn write_state(&self, out: &mut dyn Write) -> io::Result<()> {
        match (self.extent, self.exists, self.in_place) {
            (_, false, _) => writeln!(out, "{ERROR}missing{ERROR:#}"),
            (Ownership::Referenced, ..) => writeln!(out, "exists"),
            (Ownership::Exclusive, ..) => writeln!(out, "{}", Count(self.rules.len(), "rule")),
            (Ownership::Leading, _, true) => writeln!(out, "in place"),
            (Ownership::Leading, _, false) => writeln!(out, "{ERROR}not in place{ERROR:#}"),
        }
    }
}

impl SetReport<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match (self.kind, self.count) {
            (Some(kind), Some(count)) => writeln!(out, "{} ({kind})", Count(count, "element"))?,
            (Some(kind), None) => writeln!(out, "elements kept by the kernel ({kind})")?,
            (None, _) => writeln!(out, "a set of a kind that dwnl does not make")?,
        }
        if let Some(elements) = self.elements {
            elements.write_lines(out, Style::new(), "", "")?;
        }
        writeln!(out)
    }
}
