//! Who wants to have the counters: a file when something has happened or it has become old, and whoever
//! connects to the socket.

use std::io;
use std::iter;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;

use super::endpoints::{MetricsFile, MetricsSocket, respond};

/// So many who ask are answered before anything else is looked at again.
const ANSWERS_MAX: usize = 16;

/// Where the counters are published; nowhere by default.
#[derive(Default)]
pub struct MetricsExporter {
    file: Option<MetricsFile>,
    socket: Option<MetricsSocket>,
    /// Whether something has happened since the file was written.
    is_news: bool,
}

/// Who wants to have the counters now.
pub struct Scrapers {
    connections: Vec<UnixStream>,
    is_file_wanted: bool,
}

impl MetricsExporter {
    /// Publishes in this file and at this socket.
    ///
    /// # Errors
    /// If the socket cannot be had.
    pub fn open(file: Option<&Path>, socket: Option<&Path>) -> anyhow::Result<MetricsExporter> {
        let listen = |path: &Path| {
            let socket = MetricsSocket::listen(path);
            socket.with_context(|| format!("cannot listen at {}", path.display()))
        };
        let file = file.map(|path| MetricsFile::new(path.to_owned(), Instant::now()));
        Ok(MetricsExporter { file, socket: socket.map(listen).transpose()?, is_news: false })
    }

    /// The counters have changed in a way that the file is to show at once.
    pub fn mark_dirty(&mut self) {
        self.is_news = true;
    }

    /// When the file is written next, if nothing happens before.
    pub fn due(&self) -> Option<Instant> {
        self.file.as_ref().map(MetricsFile::due)
    }

    /// What becomes readable when somebody asks.
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Who waits for the counters, if anybody does.
    pub fn scrapers(&self, now: Instant) -> Option<Scrapers> {
        let waiting = |socket: &MetricsSocket| {
            iter::from_fn(|| socket.accept()).take(ANSWERS_MAX).collect::<Vec<UnixStream>>()
        };
        let connections = self.socket.as_ref().map(waiting).unwrap_or_default();
        let is_file_wanted = self.due().is_some_and(|due| self.is_news || due <= now);
        let readers = Scrapers { connections, is_file_wanted };
        (readers.is_file_wanted || !readers.connections.is_empty()).then_some(readers)
    }

    /// Gives them the text.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn publish(&mut self, mut readers: Scrapers, text: &str, now: Instant) -> io::Result<()> {
        readers.connections.iter_mut().for_each(|connection| respond(connection, text));
        match self.file.as_mut().filter(|_| readers.is_file_wanted) {
            Some(file) => {
                self.is_news = false;
                file.write(text, now)
            }
            None => Ok(()),
        }
    }
}
