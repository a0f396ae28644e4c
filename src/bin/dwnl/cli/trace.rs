//! `dwnl trace`: which chains and rules the packets of a source pass.

use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use dwnl::engine::{TraceEvent, Tracer};
use dwnl::model::TraceFilter;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::args::TraceArgs;
use super::{Console, capabilities};
use crate::report::TraceReport;
use crate::watch::Signals;

/// Traces packets until the time is up, there were enough of them, or a signal comes.
pub fn trace(args: &TraceArgs, console: &Console) -> anyhow::Result<ExitCode> {
    // Before any other thread starts: a thread inherits the mask of blocked signals.
    let signals = Signals::block().context("cannot wait for signals")?;
    let namespace = args.namespace.path();
    capabilities::require_capabilities(namespace)?;
    let filter = TraceFilter::new(args.source, args.ports);
    let mut tracer = match namespace {
        Some(path) => Tracer::open_in(path, &filter)?,
        None => Tracer::open(&filter)?,
    };
    capabilities::keep_net_admin()?;
    let started = Instant::now();
    let start = TraceReport::start(&filter, args.duration, tracer.legacy_tables());
    console.warn(start.warnings());
    let mut session =
        Session { console, packets: 0, max: args.count.map(NonZeroU64::get), is_read: true };
    session.emit(&start)?;
    let end = started + args.duration;
    while !session.is_over() && Instant::now() < end {
        wait(&[tracer.as_fd(), signals.as_fd()], tracer.deadline().map_or(end, |it| it.min(end)))?;
        session.report(&tracer.read()?)?;
        if signals.read().context("cannot read signals")?.is_some() {
            break;
        }
    }
    tracer.stop();
    while !session.is_over()
        && let Some(deadline) = tracer.deadline()
    {
        wait(&[tracer.as_fd()], deadline)?;
        session.report(&tracer.read()?)?;
    }
    let matched = tracer.close()?;
    session.emit(&TraceReport::end(&filter, session.packets, matched, started.elapsed()))?;
    Ok(ExitCode::SUCCESS)
}

/// What was reported so far.
struct Session<'a> {
    console: &'a Console,
    packets: u64,
    max: Option<u64>,
    /// Whether somebody still reads the output.
    is_read: bool,
}

impl Session<'_> {
    fn is_over(&self) -> bool {
        !self.is_read || self.max.is_some_and(|max| self.packets >= max)
    }

    fn report(&mut self, events: &[TraceEvent]) -> anyhow::Result<()> {
        for event in events {
            if self.is_over() {
                break;
            }
            self.packets += u64::from(matches!(event, TraceEvent::Packet(_)));
            let report = TraceReport::event(event, self.packets, self.console.verbose());
            if let Some(report) = report {
                self.emit(&report)?;
            }
        }
        Ok(())
    }

    fn emit(&mut self, report: &TraceReport) -> anyhow::Result<()> {
        if self.is_read {
            self.is_read = self.console.emit(report)?;
        }
        Ok(())
    }
}

/// Waits until a descriptor is readable, or until the end.
fn wait(descriptors: &[BorrowedFd], end: Instant) -> anyhow::Result<()> {
    let mut descriptors: Vec<PollFd> =
        descriptors.iter().map(|it| PollFd::new(*it, PollFlags::POLLIN)).collect();
    // Rounded up, so as not to wake up too early.
    let millis = end.saturating_duration_since(Instant::now()).as_nanos().div_ceil(1_000_000);
    let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
    match poll(&mut descriptors, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno).context("cannot wait for packets"),
    }
}
