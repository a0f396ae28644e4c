//! Rules with their counters in aligned columns.

use std::io::{self, Write};

use super::super::format::Escaped;
use super::super::style::ERROR;
use super::super::table::{Cell, Column, Table};
use super::RuleReport;

const COLUMNS: [Column; 6] = [
    Column("position", true),
    Column("handle", true),
    Column("packets", true),
    Column("bytes", true),
    Column("rule", false),
    Column("", false),
];

/// Writes the rules below their headings; with `verbose` with positions and handles too. Writes nothing
/// for no rules.
pub fn write_rules(out: &mut dyn Write, rules: &[RuleReport], verbose: bool) -> io::Result<()> {
    if rules.is_empty() {
        return Ok(());
    }
    let detail = |number: String| if verbose { number } else { String::new() };
    let cells = |rule: &RuleReport| {
        [
            detail(rule.position.to_string()).into(),
            detail(rule.handle.to_string()).into(),
            rule.packets.to_string().into(),
            rule.bytes.to_string().into(),
            Escaped(&rule.rule).to_string().into(),
            remark(rule),
        ]
    };
    Table::new(COLUMNS, rules.iter().map(cells).collect()).write(out)
}

/// Where a misplaced rule is and should be.
fn remark(rule: &RuleReport) -> Cell {
    let expected = rule.expected_position.filter(|_| rule.is_misplaced());
    let remark = |expected| format!("# at position {}, should be at {expected}", rule.position);
    Cell { text: expected.map(remark).unwrap_or_default(), style: ERROR }
}
