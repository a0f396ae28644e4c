//! A change for people: the lines under the name of its chain or set.

use std::io::{self, Write};

use dwnl::model::{Family, Origin};

use super::super::count::Count;
use super::super::format::Escaped;
use super::super::style::{ADDED, REMARK, REMOVED};
use super::{ChangeReport, Op};

/// So many elements are told one by one even if nobody asks for them.
const FEW: usize = 10;

impl ChangeReport<'_> {
    /// The table and chain or set, as nft writes them.
    pub fn path(&self) -> String {
        match self.chain.or(self.set) {
            Some(name) => format!("{} {} {}", self.family, Escaped(self.table), Escaped(name)),
            None => format!("{} {}", self.family, Escaped(self.table)),
        }
    }

    /// Writes what becomes of the table, chain or set, behind its name.
    pub fn write_heading(&self, out: &mut dyn Write) -> io::Result<()> {
        match (self.op, self.base, self.kind) {
            (Op::AddTable, ..) => write!(out, " (new table)"),
            (Op::AddChain, Some(base), _) => write!(out, " (new chain: {base})"),
            (Op::AddChain, ..) => write!(out, " (new chain)"),
            (Op::AddSet, _, Some(kind)) => write!(out, " (new set: {kind})"),
            (Op::DeleteSet, ..) => write!(out, " (set deleted)"),
            (Op::DeleteChain, ..) => write!(out, " (chain deleted)"),
            (Op::DeleteTable, ..) => write!(out, " (table deleted)"),
            _ => Ok(()),
        }
    }

    /// Writes the line of a rule, or those of elements; `verbose`: with its place or handle and
    /// its origin, and every element.
    pub fn write_lines(&self, out: &mut dyn Write, verbose: bool) -> io::Result<()> {
        let (sign, style) = match self.op {
            Op::AddRule | Op::AddElements => ("+ ", ADDED),
            _ => ("- ", REMOVED),
        };
        let remark = if verbose { self.remark() } else { String::new() };
        match (self.rule, self.elements, self.count) {
            (Some(rule), ..) => {
                let rule = Escaped(rule);
                writeln!(out, "{style}{sign}{}{rule}{style:#}{remark}", self.append())
            }
            (_, Some(elements), Some(count)) if verbose || count <= FEW => {
                elements.write_lines(out, style, sign, &remark)
            }
            (_, _, None | Some(0)) => Ok(()),
            (_, elements, Some(count)) => {
                let all = if elements.is_none() && count > 1 { "all " } else { "" };
                writeln!(out, "{style}{sign}{all}{}{style:#}", Count(count, "element"))
            }
        }
    }

    /// What iptables wants before a rule; nft lists rules bare.
    fn append(&self) -> String {
        match self.chain {
            Some(chain) if self.family != Family::Inet => format!("-A {chain} "),
            _ => String::new(),
        }
    }

    /// What stands behind a line to explain it, if there is anything to tell.
    fn remark(&self) -> String {
        let handle = self.handle.map(|handle| format!("handle {handle}"));
        let before = self.before.map(|handle| format!("before handle {handle}"));
        let origin = self.origin.map(Origin::to_string).or(self.holds.map(str::to_owned));
        let remarks: Vec<String> = handle.into_iter().chain(before).chain(origin).collect();
        if remarks.is_empty() {
            return String::new();
        }
        format!("  {REMARK}# {}{REMARK:#}", remarks.join(", "))
    }
}
