//! One truth in a network namespace: a running `watch` holds an abstract Unix socket there, which is
//! its lock and takes requests. Other commands go through it, or refuse to work against it.
//!
//! Abstract names belong to a network namespace, and vanish with the process that holds them, so no
//! crash leaves a lock behind.

mod client;
mod endpoint;
mod peer;
mod protocol;
mod server;

pub use client::{RunningWatch, ask, lock_watch, running_watch};
pub use endpoint::Endpoint;
pub use peer::Peer;
pub use protocol::{RepairRecord, Reply, Report, Request, WatchActivity, WatchStatus, send};
pub use server::{ControlSocket, PendingRequest};
