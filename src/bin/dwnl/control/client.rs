//! Finds the `watch` that runs in a network namespace, and sends requests to it.

use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ControlSocket;
use super::endpoint::Endpoint;
use super::peer::Peer;
use super::protocol::{Reply, Request, WatchStatus, receive, send};

/// The name that a `watch` holds.
const WATCH: Endpoint = Endpoint("dwnl-watch");

/// How long a `watch` may take to say who it is.
const STATUS_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a `watch` may take to apply a policy.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// A `watch` that runs in a network namespace.
#[derive(Debug)]
pub struct RunningWatch {
    namespace: Option<PathBuf>,
    peer: Peer,
    /// What it says about itself; `None` if it does not answer this program.
    status: Option<WatchStatus>,
}

/// The `watch` that runs in a network namespace (`None`: that of the program), and a warning if
/// another program holds its name.
///
/// A namespace that cannot be entered counts as one without a watch: the engine reports the reason.
pub fn running_watch(namespace: Option<&Path>) -> (Option<RunningWatch>, Option<String>) {
    let stream = match WATCH.connect(namespace) {
        Ok(Some(stream)) => stream,
        Ok(None) => return (None, None),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return (None, Some(foreign("a program that accepts no connections")));
        }
        Err(_) => return (None, None),
    };
    let Ok(peer) = Peer::of(&stream) else { return (None, None) };
    if !peer.may_be_watch() {
        return (None, Some(foreign(&format!("{peer} of user {}", peer.uid))));
    }
    let status = ask(stream, &Request::Status, STATUS_TIMEOUT);
    let status = status.ok().and_then(|reply| match reply {
        Reply::Status(status) => Some(status),
        _ => None,
    });
    (Some(RunningWatch { namespace: namespace.map(Path::to_owned), peer, status }), None)
}

fn foreign(holder: &str) -> String {
    format!(
        "{holder}, which is not dwnl watch, holds the socket name @dwnl-watch, so dwnl cannot find out \
         whether a watch is running in this network namespace"
    )
}

impl RunningWatch {
    /// Its process ID.
    pub fn pid(&self) -> i32 {
        self.peer.pid
    }

    /// What it says about itself; `None` if it does not answer this program.
    pub fn status(&self) -> Option<&WatchStatus> {
        self.status.as_ref()
    }

    /// Whether it has a policy on trial.
    pub fn is_on_trial(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.is_on_trial)
    }

    /// Whether it keeps the policy at this path in force.
    pub fn keeps(&self, policy: &Path) -> bool {
        let path = policy.canonicalize().ok();
        self.status.as_ref().is_some_and(|status| path.as_deref() == Some(&status.policy))
    }

    /// Has it apply its policy again, and returns its report.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn reload(&self, policy: &Path, verbose: bool) -> anyhow::Result<super::Report> {
        let policy = policy.canonicalize().context("cannot find the policy")?;
        let stream = WATCH.connect(self.namespace.as_deref());
        let stream = stream.with_context(|| format!("cannot reach {self}"))?;
        let stream = stream.with_context(|| format!("{self} has ended"))?;
        if !Peer::of(&stream)?.may_be_watch() {
            bail!("{self} has ended");
        }
        let reply = ask(stream, &Request::Reload { policy, verbose }, RELOAD_TIMEOUT);
        match reply.with_context(|| format!("{self} does not answer"))? {
            Reply::Report(report) => Ok(report),
            Reply::OtherPolicy(_) | Reply::Status(_) => {
                bail!("{self} keeps another policy in force")
            }
        }
    }
}

/// Takes the lock of a network namespace for a `watch`. Returns a warning as well if a program that is
/// no `watch` holds the name: that does not stop a watch.
///
/// # Errors
/// If another `watch` runs in the namespace.
pub fn lock_watch(namespace: Option<&Path>) -> anyhow::Result<(ControlSocket, Option<String>)> {
    match ControlSocket::bind(WATCH, namespace) {
        Ok(socket) => return Ok((socket, None)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
        Err(error) => return Err(error).context("cannot listen for requests"),
    }
    let (watch, warning) = running_watch(namespace);
    if let Some(watch) = watch {
        bail!("{watch} is already running in this network namespace; stop it first");
    }
    Ok((ControlSocket::default(), warning))
}

/// Sends a request and waits for the reply.
pub fn ask<T: DeserializeOwned>(
    mut stream: UnixStream,
    request: &impl Serialize,
    timeout: Duration,
) -> io::Result<T> {
    stream.set_read_timeout(Some(timeout))?;
    send(&mut stream, request)?;
    receive(&stream)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// `dwnl watch (process 4711, policy /etc/dwnl/policy.toml)`
impl fmt::Display for RunningWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dwnl watch ({}", self.peer)?;
        if let Some(WatchStatus { policy, .. }) = &self.status {
            write!(f, ", policy {}", policy.display())?;
        }
        write!(f, ")")
    }
}
