//! The text of a packet: a line, one for each base chain, and at last what became of it.

use std::io::{self, Write};
use std::net::IpAddr;

use super::packet::{DecisionReport, HeaderReport, PacketReport, StepReport, VisitReport};
use crate::report::format::Escaped;
use crate::report::style::{ADDED, ERROR, HEADING, REMARK};

/// The width of a line.
const WIDTH: usize = 80;
/// The width of the column of hooks, with the indentation.
const HOOK: usize = 14;

/// Writes a packet.
pub fn write(packet: &PacketReport, out: &mut dyn Write) -> io::Result<()> {
    write_headline(packet, out)?;
    let mut known = packet.header.as_ref();
    for visit in &packet.chains {
        known = write_translation(known, visit.header.as_ref(), out)?;
        write_visit(visit, out)?;
        if packet.is_verbose {
            visit.steps.iter().try_for_each(|step| write_step(step, out))?;
        }
    }
    write_translation(known, packet.last_header.as_ref(), out)?;
    write_summary(packet, out)
}

/// `14:03:05.123 packet 1 on eth0: tcp 192.0.2.2:40312 > 203.0.113.5:8080 SYN`
fn write_headline(packet: &PacketReport, out: &mut dyn Write) -> io::Result<()> {
    // The time of day of an RFC 3339 time.
    let time = packet.time.get(11..23).unwrap_or(&packet.time);
    write!(out, "{time} {HEADING}packet {}{HEADING:#}", packet.number)?;
    if let Some(name) = packet.in_interface {
        write!(out, " on {}", Escaped(name))?;
    }
    let Some(header) = &packet.header else { return writeln!(out) };
    let source = end(header.source, header.source_port);
    let destination = end(header.destination, header.destination_port);
    write!(out, ": {} {source} > {destination}", header.protocol)?;
    match &header.flags {
        Some(flags) => writeln!(out, " {flags}"),
        None => writeln!(out),
    }
}

/// `              destination is now 172.17.0.2:80`, if it was translated. Returns the headers that are
/// known from now on.
fn write_translation<'a>(
    before: Option<&'a HeaderReport>,
    after: Option<&'a HeaderReport>,
    out: &mut dyn Write,
) -> io::Result<Option<&'a HeaderReport>> {
    let (Some(before), Some(after)) = (before, after) else { return Ok(before.or(after)) };
    let source = end(after.source, after.source_port);
    if source != end(before.source, before.source_port) {
        writeln!(out, "{:HOOK$}source is now {source}", "")?;
    }
    let destination = end(after.destination, after.destination_port);
    if destination != end(before.destination, before.destination_port) {
        writeln!(out, "{:HOOK$}destination is now {destination}", "")?;
    }
    Ok(Some(after))
}

/// `  prerouting  ip nat PREROUTING > DOCKER-BLOCK > DOCKER: accept`
fn write_visit(visit: &VisitReport, out: &mut dyn Write) -> io::Result<()> {
    let hook = visit.hook.as_deref().unwrap_or_default();
    let policy = if visit.is_policy { " (policy)" } else { "" };
    let tail = format!(": {}{policy}", visit.verdict);
    let head = format!("{} {} ", Escaped(visit.family), Escaped(visit.table));
    let names: Vec<String> = visit.path.iter().map(|it| Escaped(it).to_string()).collect();
    let room = WIDTH.saturating_sub(HOOK + head.chars().count() + tail.chars().count());
    writeln!(out, "  {hook:<width$}{head}{}{tail}", path(&names, room), width = HOOK - 2)
}

/// `A > B > C`; if there is no room for all, `A > … > C`.
fn path(names: &[String], room: usize) -> String {
    let whole = names.join(" > ");
    match names {
        [first, _, .., last] if whole.chars().count() > room => format!("{first} > … > {last}"),
        _ => whole,
    }
}

/// `                DOCKER-BLOCK: -s 192.0.2.2/32 … -j DOCKER`
fn write_step(step: &StepReport, out: &mut dyn Write) -> io::Result<()> {
    let Some(handle) = step.handle else { return Ok(()) };
    let rule = rule_words(step.rule, handle);
    let text = format!("{}: {rule}", Escaped(step.chain));
    write_wrapped(&text, HOOK + 2, out)
}

fn rule_words(rule: Option<&str>, handle: u64) -> String {
    match rule {
        Some(rule) => Escaped(rule).to_string(),
        None => format!("the rule with handle {handle}, which is not there any more"),
    }
}

fn write_summary(packet: &PacketReport, out: &mut dyn Write) -> io::Result<()> {
    let style = if matches!(packet.fate, "delivered" | "sent") { ADDED } else { ERROR };
    let mut lines = wrapped(&packet.summary, 2).into_iter();
    let Some(first) = lines.next() else { return Ok(()) };
    write!(out, "  {style}{first}{style:#}")?;
    for line in lines {
        write!(out, "\n  {style}{line}{style:#}")?;
    }
    match &packet.decision {
        None => writeln!(out),
        Some(decision) => write_decision(packet, decision, out),
    }
}

/// Continues the line of the summary: ` by inet dwnl translated`, and the rule below it.
fn write_decision(
    packet: &PacketReport,
    decision: &DecisionReport,
    out: &mut dyn Write,
) -> io::Result<()> {
    let DecisionReport { family, table, chain, handle, rule } = decision;
    let chain = format!("{} {} {}", Escaped(family), Escaped(table), Escaped(chain));
    let is_through = matches!(packet.fate, "delivered" | "sent");
    match handle {
        _ if is_through => writeln!(out, "\n  accepted last by {chain}:")?,
        Some(_) => writeln!(out, " by {chain}:")?,
        None => return writeln!(out, " by the policy of {chain}"),
    }
    match handle {
        Some(handle) => write_wrapped(&rule_words(*rule, *handle), 4, out),
        None => Ok(()),
    }
}

/// Writes text that is indented by this number of columns.
fn write_wrapped(text: &str, indent: usize, out: &mut dyn Write) -> io::Result<()> {
    for (index, line) in wrapped(text, indent).iter().enumerate() {
        let more = if index == 0 { 0 } else { 2 };
        writeln!(out, "{:1$}{REMARK}{line}{REMARK:#}", "", indent + more)?;
    }
    Ok(())
}

/// The lines of a text that is broken at spaces.
fn wrapped(text: &str, indent: usize) -> Vec<String> {
    let room = WIDTH.saturating_sub(indent + 2);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `192.0.2.2:40312`, `[2001:db8::2]:40312`, or the address alone.
fn end(address: IpAddr, port: Option<u16>) -> String {
    match (address, port) {
        (IpAddr::V6(address), Some(port)) => format!("[{address}]:{port}"),
        (address, Some(port)) => format!("{address}:{port}"),
        (address, None) => address.to_string(),
    }
}
