//! Publishes metrics: in a file after events and at intervals, and to clients of a socket.

use std::io;
use std::iter;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;

use super::endpoints::{MetricsFile, MetricsSocket, respond};

/// Maximum number of clients answered in one turn of the event loop.
const ANSWERS_MAX: usize = 16;

/// Where metrics are published; nowhere by default.
#[derive(Default)]
pub struct MetricsExporter {
    file: Option<MetricsFile>,
    socket: Option<MetricsSocket>,
    /// Whether an event has happened since the file was written.
    is_dirty: bool,
}

/// The clients and the file that wait for metrics.
pub struct Scrapers {
    connections: Vec<UnixStream>,
    is_file_due: bool,
}

impl MetricsExporter {
    /// Publishes metrics in this file and at this socket.
    ///
    /// # Errors
    /// If the socket cannot be opened.
    pub fn open(file: Option<&Path>, socket: Option<&Path>) -> anyhow::Result<MetricsExporter> {
        let listen = |path: &Path| {
            let socket = MetricsSocket::listen(path);
            socket.with_context(|| format!("cannot listen at {}", path.display()))
        };
        let file = file.map(|path| MetricsFile::new(path.to_owned(), Instant::now()));
        Ok(MetricsExporter { file, socket: socket.map(listen).transpose()?, is_dirty: false })
    }

    /// Notes an event, so that the file is written at once.
    pub fn mark_dirty(&mut self) {
        self.is_dirty = true;
    }

    /// When the file is due next without an event.
    pub fn due(&self) -> Option<Instant> {
        self.file.as_ref().map(MetricsFile::due)
    }

    /// The socket to poll for clients.
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// The clients and the file that wait for metrics, if any do.
    pub fn scrapers(&self, now: Instant) -> Option<Scrapers> {
        let waiting = |socket: &MetricsSocket| {
            iter::from_fn(|| socket.accept()).take(ANSWERS_MAX).collect::<Vec<UnixStream>>()
        };
        let connections = self.socket.as_ref().map(waiting).unwrap_or_default();
        let is_file_due = self.due().is_some_and(|due| self.is_dirty || due <= now);
        let scrapers = Scrapers { connections, is_file_due };
        (scrapers.is_file_due || !scrapers.connections.is_empty()).then_some(scrapers)
    }

    /// Writes the text to them.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn publish(&mut self, mut scrapers: Scrapers, text: &str, now: Instant) -> io::Result<()> {
        scrapers.connections.iter_mut().for_each(|connection| respond(connection, text));
        match self.file.as_mut().filter(|_| scrapers.is_file_due) {
            Some(file) => {
                self.is_dirty = false;
                file.write(text, now)
            }
            None => Ok(()),
        }
    }
}
