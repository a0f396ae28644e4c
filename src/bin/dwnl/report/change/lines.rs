//! A change as text: the lines below the name of its table, chain or set.

use std::io::{self, Write};

use anstyle::Style;
use dwnl::model::{Family, Origin};

use super::super::count::Count;
use super::super::format::{Escaped, RuleText};
use super::super::object::ChainName;
use super::super::set_elements::Elements;
use super::super::style::{ADDED, REMARK, REMOVED};
use super::ChangeReport;

/// Up to this number, elements are listed even without `--verbose`.
const LISTED_ELEMENTS_MAX: usize = 10;

/// How a line starts, and in what style.
#[derive(Clone, Copy)]
struct Sign(&'static str, Style);

const PLUS: Sign = Sign("+ ", ADDED);
const MINUS: Sign = Sign("- ", REMOVED);

impl ChangeReport<'_> {
    /// Writes whether the table, chain or set is new or deleted, after its name.
    pub fn write_heading(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            ChangeReport::AddTable(_) => write!(out, " (new table)"),
            ChangeReport::AddChain { base_chain: Some(base), .. } => {
                write!(out, " (new chain: {base})")
            }
            ChangeReport::AddChain { base_chain: None, .. } => write!(out, " (new chain)"),
            ChangeReport::AddSet { definition, .. } => {
                let noun = if definition.kind().is_some() { "set" } else { "map" };
                write!(out, " (new {noun}: {definition})")
            }
            ChangeReport::DeleteSet { .. } => write!(out, " (set deleted)"),
            ChangeReport::DeleteChain(_) => write!(out, " (chain deleted)"),
            ChangeReport::DeleteTable(_) => write!(out, " (table deleted)"),
            _ => Ok(()),
        }
    }

    /// Writes the line of a rule or the lines of elements. With `verbose`, with the handle, the
    /// origin and every element.
    pub fn write_lines(&self, out: &mut dyn Write, verbose: bool) -> io::Result<()> {
        let remark = if verbose { self.remark() } else { String::new() };
        match self {
            ChangeReport::AddRule { chain, rule, .. } => {
                write_rule(out, PLUS, chain, rule, &remark)
            }
            ChangeReport::DeleteRule { chain, rule, .. } => {
                write_rule(out, MINUS, chain, rule, &remark)
            }
            ChangeReport::AddElements { element_count, elements, .. } => {
                let listed = elements.filter(|_| verbose || *element_count <= LISTED_ELEMENTS_MAX);
                write_elements(out, PLUS, listed, *element_count, &remark)
            }
            ChangeReport::DeleteElements { element_count, elements, .. } => {
                let listed = elements.filter(|_| verbose || *element_count <= LISTED_ELEMENTS_MAX);
                write_elements(out, MINUS, listed, *element_count, &remark)
            }
            ChangeReport::FlushSet { element_count, .. }
            | ChangeReport::DeleteSet { element_count, .. } => {
                let sign = if *element_count > 1 { Sign("- all ", REMOVED) } else { MINUS };
                write_elements(out, sign, None, *element_count, "")
            }
            _ => Ok(()),
        }
    }

    /// The explanation after a line, if there is one.
    fn remark(&self) -> String {
        let remarks: Vec<String> = match self {
            ChangeReport::AddRule { before_handle, origin, .. } => {
                let before = before_handle.map(|handle| format!("before handle {handle}"));
                before.into_iter().chain(origin.map(Origin::to_string)).collect()
            }
            ChangeReport::DeleteRule { handle, .. } => {
                handle.map(|handle| format!("handle {handle}")).into_iter().collect()
            }
            ChangeReport::AddElements { description, .. } => vec![(*description).to_owned()],
            _ => Vec::new(),
        };
        if remarks.is_empty() {
            return String::new();
        }
        format!("  {REMARK}# {}{REMARK:#}", remarks.join(", "))
    }
}

/// Writes the line of a rule, in iptables' syntax with `-A CHAIN`; nft has rules without a prefix.
fn write_rule(
    out: &mut dyn Write,
    Sign(sign, style): Sign,
    chain: &ChainName,
    rule: &RuleText,
    remark: &str,
) -> io::Result<()> {
    write!(out, "{style}{sign}")?;
    if chain.table.family != Family::Inet {
        write!(out, "-A {} ", Escaped(chain.chain))?;
    }
    writeln!(out, "{}{style:#}{remark}", Escaped(rule))
}

/// Writes the elements that are to be listed, or their number.
fn write_elements(
    out: &mut dyn Write,
    Sign(sign, style): Sign,
    listed: Option<Elements>,
    count: usize,
    remark: &str,
) -> io::Result<()> {
    match listed {
        Some(elements) => elements.write_lines(out, style, sign, remark),
        None if count == 0 => Ok(()),
        None => writeln!(out, "{style}{sign}{}{style:#}", Count(count, "element")),
    }
}
