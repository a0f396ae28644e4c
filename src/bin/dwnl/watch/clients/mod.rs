//! The clients of the control socket. None of them can hold up the program: nothing here waits, what they
//! send and do not read is bounded, and what takes long is done by a thread of its own.

mod client;
mod desk;
mod request;
mod worker;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::geteuid;

use super::unix_socket::UnixSocket;
use crate::control::Peer;
use crate::report::{Answer, ErrorAnswer, ErrorCode, Event, JsonObject};
use client::{Client, Received};
use serde::Serialize;
use worker::{Job, Worker};

pub use desk::{Desk, Facts};
pub use request::{Call, Request};

/// Maximum number of connections of one user.
const USER_CLIENTS_MAX: usize = 16;
/// Maximum number of connections of the users that are neither root nor the program's own.
const CLIENTS_MAX: usize = 64;
/// Maximum length of an answer in bytes.
const ANSWER_MAX: usize = 16 << 20;
/// How many times as long as it took to serve clients none is served afterwards: whatever they do, they take
/// a fifth of a core at most, and as much of the thread that works for them.
const PAUSE_FACTOR: u32 = 4;

/// The number of a client.
pub type ClientId = u64;

/// The control socket with its clients. By default there is none.
#[derive(Default)]
pub struct Clients {
    listener: Option<UnixSocket>,
    /// Whether only root and the program's own user are served, whoever else could connect.
    is_private: bool,
    clients: BTreeMap<ClientId, Client>,
    next: ClientId,
    worker: Option<Worker>,
    /// Until when no client is served.
    paused_until: Option<Instant>,
}

impl Clients {
    /// Serves the clients of this socket; a private one serves only root and the program's own user. What
    /// takes long is done at the desk.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn open(listener: UnixSocket, is_private: bool, desk: Desk) -> io::Result<Clients> {
        let worker = Some(Worker::start(desk)?);
        Ok(Clients { listener: Some(listener), is_private, worker, ..Clients::default() })
    }

    /// What to poll for: clients, except in a pause, and the results of the thread.
    pub fn poll_fds(&self) -> impl Iterator<Item = PollFd<'_>> {
        let listener = self.listener.iter().map(|it| PollFd::new(it.as_fd(), PollFlags::POLLIN));
        let clients = listener.chain(self.clients.values().filter_map(Client::poll_fd));
        let clients = self.paused_until.is_none().then_some(clients);
        let worker = self.worker.iter().map(|it| PollFd::new(it.as_fd(), PollFlags::POLLIN));
        clients.into_iter().flatten().chain(worker)
    }

    /// When something is due without an event.
    pub fn due(&self) -> Option<Instant> {
        let stalled = || self.clients.values().filter_map(Client::deadline).min();
        self.paused_until.or_else(stalled)
    }

    /// Whether there is anything to do.
    pub fn is_ready(&mut self, now: Instant) -> bool {
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
        }
        let mut sources: Vec<PollFd> = self.poll_fds().collect();
        let has_event = !sources.is_empty() && poll(&mut sources, PollTimeout::ZERO) != Ok(0);
        has_event || self.due().is_some_and(|due| due <= now)
    }

    /// Begins a pause, because clients were served since `began`.
    pub fn pause(&mut self, began: Instant) {
        let now = Instant::now();
        self.paused_until = Some(now + (now - began) * PAUSE_FACTOR);
    }

    /// Sends what the thread has done, and returns the requests that have arrived: at most one of each
    /// client.
    pub fn requests(&mut self, now: Instant) -> Vec<(ClientId, Call)> {
        let done = self.worker.as_mut().map(Worker::done).unwrap_or_default();
        for (client, line) in done {
            self.send(client, line);
        }
        if self.paused_until.is_some() {
            return Vec::new();
        }
        self.accept(now);
        let ids: Vec<ClientId> = self.clients.keys().copied().collect();
        ids.into_iter().filter_map(|id| Some((id, self.request(id, now)?))).collect()
    }

    /// The next request of a client. One that cannot be read is answered at once.
    fn request(&mut self, id: ClientId, now: Instant) -> Option<Call> {
        let client = self.clients.get_mut(&id)?;
        let read = match client.receive(now) {
            Ok(Some(Received::Line(line))) => Call::read(&line),
            Ok(Some(Received::TooLong)) => {
                client.end();
                Err((None, format!("longer than {} bytes", client::REQUEST_MAX)))
            }
            Ok(None) => return None,
            Err(_) => {
                self.clients.remove(&id);
                return None;
            }
        };
        match read {
            Ok(call) => {
                client.is_busy = true;
                Some(call)
            }
            Err((number, reason)) => {
                self.refuse(id, number, &ErrorAnswer::new(ErrorCode::InvalidRequest, reason));
                None
            }
        }
    }

    fn accept(&mut self, now: Instant) {
        // More than the bounds allow are left for the next turn.
        for _ in 0..CLIENTS_MAX {
            let Some(stream) = self.listener.as_ref().and_then(UnixSocket::accept) else { return };
            let Ok(peer) = Peer::of(&stream) else { continue };
            if self.is_private && !is_privileged(peer.uid) {
                continue;
            }
            match self.make_room(peer.uid) {
                true => {
                    self.clients.insert(self.next, Client::new(stream, peer.uid, now));
                    self.next += 1;
                }
                false => turn_away(stream, now),
            }
        }
    }

    /// Whether another client of this user may connect; the one of the same user that has been idle for the
    /// longest time leaves if necessary.
    fn make_room(&mut self, uid: u32) -> bool {
        if self.clients.len() >= USER_CLIENTS_MAX {
            self.clients.retain(|_, client| !client.has_left());
        }
        let of_user = || self.clients.iter().filter(|(_, client)| client.uid == uid);
        let others = self.clients.values().filter(|client| !is_privileged(client.uid)).count();
        let is_full = !is_privileged(uid) && others >= CLIENTS_MAX;
        if of_user().count() < USER_CLIENTS_MAX && !is_full {
            return true;
        }
        let idle = of_user().filter(|(_, client)| client.is_idle());
        let oldest = idle.min_by_key(|(_, client)| client.last_active).map(|(id, _)| *id);
        oldest.is_some_and(|id| self.clients.remove(&id).is_some())
    }

    /// Has the thread do what a client asks for. What changes nothing is left out if the client leaves.
    pub fn submit(&mut self, id: ClientId, call: Call, facts: Box<Facts>) {
        let number = call.id;
        let Some((client, worker)) = self.clients.get_mut(&id).zip(self.worker.as_mut()) else {
            return;
        };
        let interest = (!call.request.is_change()).then(|| client.interest());
        if let Err(reason) = worker.submit(id, Job { call, facts, interest }) {
            self.refuse(id, number, &ErrorAnswer::new(ErrorCode::Failed, reason));
        }
    }

    /// Answers a request.
    pub fn answer<T: Serialize>(
        &mut self,
        client: ClientId,
        id: Option<u64>,
        answer: &'static str,
        result: &T,
    ) {
        self.send(client, line(id, answer, result));
    }

    /// Answers a request that failed.
    pub fn refuse(&mut self, client: ClientId, id: Option<u64>, error: &ErrorAnswer) {
        self.send(client, line(id, "error", error));
    }

    fn send(&mut self, id: ClientId, line: Vec<u8>) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        if client.send(line, Instant::now()).is_err() {
            self.clients.remove(&id);
        }
    }

    /// Sends a client each event from now on.
    pub fn subscribe(&mut self, client: ClientId) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.is_subscribed = true;
        }
    }

    /// Whether anyone reads events.
    pub fn has_subscribers(&self) -> bool {
        self.clients.values().any(|client| client.is_subscribed)
    }

    /// Sends events, each a line.
    pub fn publish(&mut self, events: &[Vec<u8>], now: Instant) {
        for event in events {
            self.clients.retain(|_, client| {
                !client.is_subscribed || client.send_event(event, dropped, now).is_ok()
            });
        }
    }
}

/// The line of an answer.
fn line<T: Serialize>(id: Option<u64>, answer: &'static str, result: &T) -> Vec<u8> {
    let mut line = JsonObject::new(&Answer { id, answer, result }).to_line();
    if line.len() > ANSWER_MAX {
        let message = format!("the answer has more than {ANSWER_MAX} bytes; use the command line");
        let error = ErrorAnswer::new(ErrorCode::AnswerTooLong, message);
        line = JsonObject::new(&Answer { id, answer: "error", result: &error }).to_line();
    }
    line
}

fn dropped(messages: u64) -> Vec<u8> {
    JsonObject::now(&Event::Dropped { messages }).to_line()
}

/// Tells a client that there is no room for it, if its socket takes that at once.
fn turn_away(stream: UnixStream, now: Instant) {
    let error = ErrorAnswer::new(
        ErrorCode::TooManyClients,
        format!("more than {USER_CLIENTS_MAX} connections of this user, or {CLIENTS_MAX} in all"),
    );
    let _ = Client::new(stream, 0, now).send(line(None, "error", &error), now);
}

/// Whether a user may do everything anyway.
fn is_privileged(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw()
}
