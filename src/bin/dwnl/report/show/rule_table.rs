//! Rules with their counters in aligned columns.

use std::io::{self, Write};

use super::super::format::Escaped;
use super::super::style::{ERROR, REMARK};
use super::RuleReport;

const HEADINGS: [&str; 4] = ["position", "handle", "packets", "bytes"];

/// Writes the rules below their headings, with numbers aligned to the right. Writes nothing for no
/// rules.
pub fn write_rules(out: &mut dyn Write, rules: &[RuleReport]) -> io::Result<()> {
    if rules.is_empty() {
        return Ok(());
    }
    let [position, handle, packets, bytes] = widths(rules);
    let [first, second, third, fourth] = HEADINGS;
    writeln!(
        out,
        "{REMARK}{first:>position$}  {second:>handle$}  {third:>packets$}  {fourth:>bytes$}  \
         rule{REMARK:#}"
    )?;
    for rule in rules {
        write!(
            out,
            "{:>position$}  {:>handle$}  {:>packets$}  {:>bytes$}  {}",
            rule.position,
            rule.handle,
            rule.packets,
            rule.bytes,
            Escaped(&rule.rule)
        )?;
        match rule.expected_position {
            Some(expected) if rule.is_misplaced() => {
                writeln!(out, "  {ERROR}# should be at position {expected}{ERROR:#}")?;
            }
            _ => writeln!(out)?,
        }
    }
    Ok(())
}

fn widths(rules: &[RuleReport]) -> [usize; 4] {
    let mut widths = HEADINGS.map(str::len);
    for rule in rules {
        let numbers = [rule.position as u64, rule.handle, rule.packets, rule.bytes];
        for (width, number) in widths.iter_mut().zip(numbers) {
            *width = digits(number).max(*width);
        }
    }
    widths
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}
