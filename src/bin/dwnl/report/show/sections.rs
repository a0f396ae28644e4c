//! The report of `show` as text: a section for each table, chain and set.

use std::io::{self, Write};

use anstyle::Style;
use dwnl::model::{Family, Ownership, SetKind};

use super::super::Report;
use super::super::count::Count;
use super::super::format::Escaped;
use super::super::style::{ERROR, HEADING};
use super::rule_table::write_rules;
use super::{ChainReport, Definition, MissingRule, SetReport, Show, TableReport, set_groups};

impl Report for Show<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for table in &self.tables {
            table.write(out, self.verbose)?;
        }
        if let Some(pattern) = self.pattern {
            return match self.tables.is_empty() {
                true => writeln!(out, "nothing of dwnl's matches {}", Escaped(pattern)),
                false => Ok(()),
            };
        }
        for translations in &self.foreign_translations {
            writeln!(out, "{}", Escaped(translations))?;
        }
        if self.has_socket_match == Some(false) {
            writeln!(
                out,
                "no rule matches docker-proxy's sockets: ports that Docker publishes later are open \
                 over IPv6 until the next apply"
            )?;
        }
        writeln!(out, "generation {}", self.generation)
    }
}

impl TableReport<'_> {
    fn write(&self, out: &mut dyn Write, verbose: bool) -> io::Result<()> {
        let name = self.name;
        if !self.is_installed {
            write!(out, "{HEADING}{name}:{HEADING:#} ")?;
            return match name.family {
                // It is reported only if it is needed.
                Family::Inet => writeln!(out, "{ERROR}missing{ERROR:#}\n"),
                _ => writeln!(out, "not installed\n"),
            };
        }
        if verbose {
            self.sets.iter().try_for_each(|set| {
                write!(out, "{HEADING}{name} {}:{HEADING:#} ", Escaped(set.set))?;
                set.write(out)
            })?;
        } else {
            set_groups::write(out, name, &self.sets)?;
        }
        for chain in &self.chains {
            write!(out, "{HEADING}{name} {}:{HEADING:#} ", chain.chain)?;
            chain.write_state(out)?;
            write_rules(out, &chain.rules, verbose)?;
            for MissingRule { expected_position, rule } in &chain.missing_rules {
                writeln!(out, "missing, should be at position {expected_position}: {rule}")?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

impl ChainReport<'_> {
    fn write_state(&self, out: &mut dyn Write) -> io::Result<()> {
        match (self.ownership, self.is_present, self.is_in_place) {
            (_, false, _) => writeln!(out, "{ERROR}missing{ERROR:#}"),
            (Ownership::Referenced, ..) => writeln!(out, "exists"),
            (Ownership::Exclusive, ..) => writeln!(out, "{}", Count(self.rules.len(), "rule")),
            (Ownership::Leading, _, true) => writeln!(out, "in place"),
            (Ownership::Leading, _, false) => writeln!(out, "{ERROR}not in place{ERROR:#}"),
        }
    }
}

impl SetReport<'_> {
    /// What a set holds, if it is a set of dwnl's.
    pub fn kind(&self) -> Option<SetKind> {
        self.definition.and_then(Definition::kind)
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match (self.definition, self.element_count) {
            (Some(it), Some(count)) => writeln!(out, "{} ({it})", Count(count, "element"))?,
            (Some(it), None) => writeln!(out, "elements managed by the kernel ({it})")?,
            (None, _) => writeln!(out, "foreign set (unsupported type)")?,
        }
        if let Some(elements) = self.elements {
            elements.write_lines(out, Style::new(), "", "")?;
        }
        writeln!(out)
    }
}
