//! In place of `containers.rs` without the feature `docker`: no containers are followed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use dwnl::model::Container;

/// What Docker's API has said.
pub struct Update {
    /// The running containers, or why they are not known.
    pub list: Result<Vec<Container>, String>,
    /// Why there are no events.
    pub lacks_events: Option<String>,
}

/// Follows nothing, and cannot be started.
pub enum Follower {}

impl Follower {
    /// # Errors
    /// Always.
    pub fn start(_: &Path) -> io::Result<Follower> {
        Err(io::Error::other("dwnl was built without the feature `docker`"))
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        match *self {}
    }

    /// The last update since the last call.
    pub fn take(&mut self) -> Option<Update> {
        match *self {}
    }
}

impl AsFd for Follower {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match *self {}
    }
}
