//! The listeners and the clients that are connected to them.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Listener;
use super::client::{Client, Progress};
use super::response::Response;

/// Maximum number of clients. One more replaces the one that connected first: a client that asks at
/// once is answered, whoever else holds connections open.
const CLIENTS_MAX: usize = 32;

/// A server; without listeners it does nothing.
#[derive(Default)]
pub struct Server {
    listeners: Vec<Listener>,
    clients: VecDeque<Client>,
}

impl Server {
    /// Serves the clients of these listeners.
    pub fn new(listeners: Vec<Listener>) -> Server {
        Server { listeners, clients: VecDeque::new() }
    }

    /// What to poll for.
    pub fn poll_fds(&self) -> impl Iterator<Item = PollFd<'_>> {
        let listeners = self.listeners.iter();
        let listeners = listeners.map(|it| PollFd::new(it.as_fd(), PollFlags::POLLIN));
        listeners.chain(self.clients.iter().map(Client::poll_fd))
    }

    /// Whether there is anything to do: something has happened, or a client has taken too long.
    pub fn is_ready(&self, now: Instant) -> bool {
        let mut sources: Vec<PollFd> = self.poll_fds().collect();
        let has_event = |sources: &mut [PollFd]| poll(sources, PollTimeout::ZERO) != Ok(0);
        self.due().is_some_and(|due| due <= now) || (!sources.is_empty() && has_event(&mut sources))
    }

    /// When a client has taken too long.
    pub fn due(&self) -> Option<Instant> {
        self.clients.iter().map(Client::deadline).min()
    }

    /// Accepts clients, receives requests and sends answers, without waiting.
    pub fn advance(&mut self, now: Instant) {
        self.accept(now);
        self.clients.retain_mut(|client| client.advance(now) == Progress::Open);
    }

    /// Whether clients wait for the metrics.
    pub fn has_scrapers(&self) -> bool {
        self.clients.iter().any(Client::is_waiting)
    }

    /// Sends the metrics to the clients that wait for them.
    pub fn publish(&mut self, metrics: &str, now: Instant) {
        let metrics = Response::metrics(metrics);
        self.clients.iter_mut().for_each(|client| client.give(&metrics, now));
        self.clients.retain_mut(|client| client.advance(now) == Progress::Open);
    }

    /// Accepts clients. One that has sent its request is never replaced, so it gets its answer.
    fn accept(&mut self, now: Instant) {
        for listener in &self.listeners {
            for _ in 0..CLIENTS_MAX {
                if self.clients.iter().all(Client::is_waiting) && self.clients.len() == CLIENTS_MAX
                {
                    return;
                }
                let Some(connection) = listener.accept() else { break };
                let mut client = Client::new(connection, now);
                if client.advance(now) == Progress::Done {
                    continue;
                }
                if self.clients.len() == CLIENTS_MAX {
                    let oldest = self.clients.iter().position(|client| !client.is_waiting());
                    oldest.map(|oldest| self.clients.remove(oldest));
                }
                self.clients.push_back(client);
            }
        }
    }
}

#[cfg(test)]
mod tests;
