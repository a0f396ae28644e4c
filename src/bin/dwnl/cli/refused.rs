//! `dwnl refused`: what the guard dropped, as the kernel remembers it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::mem::replace;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use dwnl::Engine;
use dwnl::model::{Protocol, Recording, RefusalPath, RefusedPort, RefusedReport, RefusedSource};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Console;
use super::args::{Order, PortFilter, RefusedArgs};
use super::commands::open;
use crate::report::{RefusalEvent, Refused, not_recorded, set_warnings};
use crate::watch::Signals;

/// The number of sources that are shown without `--top`.
const TOP: usize = 20;
/// How often `--follow` reads the kernel's sets.
const INTERVAL: Duration = Duration::from_secs(1);
/// The time between two readings is at least this many times that which one takes.
const IDLE_RATIO: u32 = 20;
/// Maximum number of lines that `--follow` prints for one reading.
const LINES_MAX: usize = 20;

/// Prints what was refused. Changes nothing.
pub fn refused(args: &RefusedArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let mut engine = open(args.namespace.path())?;
    if args.follow {
        return follow(args, &mut engine, console);
    }
    let mut report = engine.refused()?;
    let warnings = set_warnings(&report.fill);
    args.select(&mut report);
    let top = match args.top {
        None if console.is_json() || console.verbose() => usize::MAX,
        top => top.unwrap_or(TOP),
    };
    console.warn(&warnings);
    let order = match args.sort {
        Order::Recent => "recent",
        Order::Packets => "packets",
    };
    console.report(&Refused::new(&report, top, order, warnings, SystemTime::now()))?;
    Ok(ExitCode::SUCCESS)
}

impl RefusedArgs {
    /// Leaves what was asked for, in the order that was asked for.
    fn select(&self, report: &mut RefusedReport) {
        report.sources.retain(|it| self.has_source(it));
        report.ports.retain(|it| self.has_port(it));
        if self.sort == Order::Packets {
            report.sources.sort_by_key(|it| Reverse(it.packets));
        }
    }

    fn has_source(&self, it: &RefusedSource) -> bool {
        self.source.is_none_or(|source| (source.first()..=source.last()).contains(&it.source))
            && self.has(it.protocol, it.port, it.last)
    }

    /// The packets of a port are those of all sources, so none is shown for some sources.
    fn has_port(&self, it: &RefusedPort) -> bool {
        self.source.is_none() && self.has(it.protocol, it.port, it.last)
    }

    fn has(&self, protocol: Protocol, port: u16, last: Duration) -> bool {
        let is_port = |PortFilter(all): &PortFilter| all.iter().any(|it| it.has(protocol, port));
        self.port.as_ref().is_none_or(is_port) && self.since.is_none_or(|since| last <= since)
    }
}

/// Prints a line for each source and port that is refused from now on.
fn follow(args: &RefusedArgs, engine: &mut Engine, console: &Console) -> anyhow::Result<ExitCode> {
    let signals = Signals::block()?;
    let mut seen = Seen::default();
    let mut recording = Recording::Active;
    loop {
        let started = Instant::now();
        let report = engine.refused()?;
        if replace(&mut recording, report.recording) != report.recording {
            console.warn(not_recorded(report.recording).map(str::to_owned).as_slice());
        }
        let events = seen.events(&report, |it| args.has_source(it), SystemTime::now());
        for event in &events {
            if !console.line(event)? {
                return Ok(ExitCode::SUCCESS);
            }
        }
        let pause = INTERVAL.max(IDLE_RATIO * started.elapsed());
        let mut waiting = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        poll(&mut waiting, PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX))?;
        if signals.read()?.is_some() {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// The packets of each source at the last reading; `None` before the first one.
#[derive(Default)]
struct Seen(Option<HashMap<Key, u64>>);

/// The path, the source and the port.
type Key = (RefusalPath, IpAddr, Protocol, u16);

impl Seen {
    /// What was refused since the last reading, the oldest first.
    fn events(
        &mut self,
        report: &RefusedReport,
        is_shown: impl Fn(&RefusedSource) -> bool,
        now: SystemTime,
    ) -> Vec<RefusalEvent> {
        let key = |it: &RefusedSource| (it.path, it.source, it.protocol, it.port);
        let current = report.sources.iter().map(|it| (key(it), it.packets)).collect();
        let Some(before) = self.0.replace(current) else { return Vec::new() };
        let new_packets = |it: &RefusedSource| {
            // An entry that has expired meanwhile began to count again.
            let before = before.get(&key(it)).filter(|before| **before <= it.packets);
            it.packets - before.unwrap_or(&0)
        };
        let new = report.sources.iter().filter(|it| is_shown(it) && new_packets(it) > 0);
        let new: Vec<&RefusedSource> = new.collect();
        let omitted = new.len().saturating_sub(LINES_MAX);
        let mut events: Vec<RefusalEvent> = new
            .into_iter()
            .take(LINES_MAX)
            .map(|it| RefusalEvent::new(it, new_packets(it), now))
            .collect();
        events.reverse();
        if let Some(last) = events.last_mut() {
            last.omitted = omitted;
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::test_support::refused_source as source;

    fn events(seen: &mut Seen, sources: Vec<RefusedSource>) -> Vec<(u64, u64, usize)> {
        let mut report = RefusedReport::default();
        report.sources = sources;
        let events = seen.events(&report, |_| true, SystemTime::UNIX_EPOCH);
        events.iter().map(|it| (it.packets, it.new_packets, it.omitted)).collect()
    }

    #[test]
    fn only_what_is_new_is_printed() {
        let mut seen = Seen::default();
        assert_eq!(events(&mut seen, vec![source(1, 3)]), []);
        assert_eq!(events(&mut seen, vec![source(1, 3)]), []);
        assert_eq!(events(&mut seen, vec![source(2, 1), source(1, 5)]), [(5, 2, 0), (1, 1, 0)]);
        // It expired, and began to count again.
        assert_eq!(events(&mut seen, vec![source(1, 2)]), [(2, 2, 0)]);
    }

    #[test]
    fn a_flood_is_a_few_lines() {
        let mut seen = Seen::default();
        assert_eq!(events(&mut seen, vec![]), []);
        let lines = events(&mut seen, (0..100).map(|n| source(n, 1)).collect());
        assert_eq!(lines.len(), LINES_MAX);
        assert_eq!(lines.last(), Some(&(1, 1, 80)));
    }
}
