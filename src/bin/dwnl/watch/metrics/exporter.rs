//! Publishes metrics: in a file after events and at intervals, and to clients over HTTP.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use dwnl::Engine;
use nix::poll::{PollFd, PollFlags};

use super::file::MetricsFile;
use super::http::{Listener, Server};
use super::refusal_reader::{ReadResult, RefusalReader};

/// How many times as long as it took to serve clients no client is served afterwards: whatever they do,
/// they take a fifth of a core at most.
const PAUSE_FACTOR: u32 = 4;

/// Where metrics are published.
#[derive(Clone, Copy, Debug, Default)]
pub struct Endpoints<'a> {
    /// A file.
    pub file: Option<&'a Path>,
    /// A Unix socket.
    pub socket: Option<&'a Path>,
    /// TCP ports.
    pub listen: &'a [SocketAddr],
}

impl Endpoints<'_> {
    /// Whether metrics are published nowhere.
    pub fn is_empty(&self) -> bool {
        self.file.is_none() && self.socket.is_none() && self.listen.is_empty()
    }
}

/// Publishes metrics; by default nowhere.
#[derive(Default)]
pub struct MetricsExporter {
    reader: Option<RefusalReader>,
    file: Option<MetricsFile>,
    server: Server,
    /// Until when no client is served.
    paused_until: Option<Instant>,
    /// Whether an event has happened since the file was written.
    is_dirty: bool,
}

/// Who wants metrics now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    is_file_due: bool,
    /// Whether clients have been served.
    is_serving: bool,
    has_scrapers: bool,
}

impl Demand {
    /// Whether the metrics are needed.
    pub fn needs_metrics(self) -> bool {
        self.is_file_due || self.has_scrapers
    }
}

impl MetricsExporter {
    /// Publishes metrics at these places, and what was refused as far as this engine can read it.
    ///
    /// # Errors
    /// If a socket cannot be opened, or a thread cannot be started.
    pub fn open(endpoints: Endpoints, engine: Engine) -> anyhow::Result<MetricsExporter> {
        let Endpoints { file, socket, listen } = endpoints;
        let mut listeners = Vec::new();
        if let Some(path) = socket {
            let listener = Listener::unix(path);
            listeners
                .push(listener.with_context(|| format!("cannot listen at {}", path.display()))?);
        }
        for address in listen {
            let listener = Listener::tcp(*address);
            listeners.push(listener.with_context(|| format!("cannot listen at {address}"))?);
        }
        let file = file.map(|path| MetricsFile::new(path.to_owned(), Instant::now()));
        let reader = RefusalReader::start(engine).context("cannot start a thread")?;
        let server = Server::new(listeners);
        Ok(MetricsExporter { reader: Some(reader), file, server, ..MetricsExporter::default() })
    }

    /// Whether metrics are published anywhere.
    pub fn is_open(&self) -> bool {
        self.reader.is_some()
    }

    /// Notes an event, so that the file is written at once.
    pub fn mark_dirty(&mut self) {
        self.is_dirty = true;
    }

    /// When something is due without an event.
    pub fn due(&self) -> Option<Instant> {
        let clients = self.paused_until.or_else(|| self.server.due());
        // While the reader reads, it is its result that is waited for.
        let file = self.file.as_ref().filter(|_| self.reading().is_none()).map(MetricsFile::due);
        file.into_iter().chain(clients).min()
    }

    /// What to poll for: what was refused, and clients, except in a pause.
    pub fn poll_fds(&self) -> impl Iterator<Item = PollFd<'_>> {
        let server = self.paused_until.is_none().then(|| self.server.poll_fds());
        let reader = self.reading().map(|reader| PollFd::new(reader.as_fd(), PollFlags::POLLIN));
        server.into_iter().flatten().chain(reader)
    }

    fn reading(&self) -> Option<&RefusalReader> {
        self.reader.as_ref().filter(|reader| reader.is_reading())
    }

    /// What was refused; `None` while it is read.
    pub fn refusals(&mut self) -> Option<ReadResult> {
        self.reader.as_mut()?.fresh()
    }

    /// Receives what clients send. Returns who wants metrics.
    pub fn demand(&mut self, now: Instant) -> Demand {
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
        }
        let is_file_due = self.file.as_ref().is_some_and(|file| self.is_dirty || file.due() <= now);
        let is_serving = self.paused_until.is_none() && self.server.is_ready(now);
        if is_serving {
            self.server.advance(now);
        }
        Demand { is_file_due, is_serving, has_scrapers: self.server.has_scrapers() }
    }

    /// Writes the metrics to those that want them.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn publish(&mut self, demand: Demand, metrics: &str, now: Instant) -> io::Result<()> {
        if demand.has_scrapers {
            self.server.publish(metrics, now);
        }
        match self.file.as_mut().filter(|_| demand.is_file_due) {
            Some(file) => {
                self.is_dirty = false;
                file.write(metrics, now)
            }
            None => Ok(()),
        }
    }

    /// Begins a pause if clients were served since `began`.
    pub fn pause(&mut self, demand: Demand, began: Instant) {
        if demand.is_serving {
            let now = Instant::now();
            self.paused_until = Some(now + (now - began) * PAUSE_FACTOR);
        }
    }
}
