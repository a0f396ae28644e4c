//! The report of `show` for people.

use std::io::{self, Write};

use dwnl::ruleset::Extent;

use super::super::Report;
use super::super::style::{ERROR, HEADING};
use super::super::words::Count;
use super::table::write_table;
use super::{ChainReport, MissingRule, Show, TableReport};

impl Report for Show<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for table in &self.tables {
            table.write(out)?;
        }
        writeln!(out, "generation {}", self.generation)
    }
}

impl TableReport<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let name = format!("{} {}", self.family, self.table);
        if !self.installed {
            return writeln!(out, "{HEADING}{name}:{HEADING:#} not installed\n");
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
            (Extent::Exists, ..) => writeln!(out, "exists"),
            (Extent::Whole, ..) => writeln!(out, "{}", Count(self.rules.len(), "rule")),
            (Extent::Head, _, true) => writeln!(out, "in place"),
            (Extent::Head, _, false) => writeln!(out, "{ERROR}not in place{ERROR:#}"),
        }
    }
}
