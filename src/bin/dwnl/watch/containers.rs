//! Follows the running containers, on a thread of its own: Docker's API may hang.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{io, thread};

use dwnl::docker_api::{ApiError, DockerApi};
use dwnl::model::Container;

/// The maximum time for one list of containers.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a stream of events is read before it is opened again. The containers are then listed anew, in
/// case that an event was lost, or the daemon hangs.
const STREAM_LIFETIME: Duration = Duration::from_secs(60);
/// The pause after a list, in which further events are collected.
const PAUSE: Duration = Duration::from_millis(200);
/// The pauses after errors.
const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// What Docker's API has said.
pub struct Update {
    /// The running containers, or why they are not known.
    pub list: Result<Vec<Container>, String>,
    /// Why there are no events, so that the containers are only listed now and then.
    pub lacks_events: Option<String>,
}

/// Follows the containers of one Docker.
pub struct Follower {
    socket: PathBuf,
    shared: Arc<Shared>,
    wake: UnixStream,
}

struct Shared {
    /// The last update that nobody has taken yet.
    latest: Mutex<Option<Update>>,
    wake: UnixStream,
    is_stopped: AtomicBool,
}

impl Follower {
    /// Starts to follow the containers of the Docker at this socket.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(socket: &Path) -> io::Result<Follower> {
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        let latest = Mutex::new(None);
        let shared = Arc::new(Shared { latest, wake: waker, is_stopped: AtomicBool::new(false) });
        let (api, of_thread) = (DockerApi::new(socket), Arc::clone(&shared));
        let thread = thread::Builder::new().name("docker-api".to_owned());
        thread.spawn(move || follow(&api, &of_thread))?;
        Ok(Follower { socket: socket.to_owned(), shared, wake })
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The last update since the last call.
    pub fn take(&mut self) -> Option<Update> {
        let mut wakes = [0; 64];
        while matches!(self.wake.read(&mut wakes), Ok(1..)) {}
        self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Readable when there is an update.
impl AsFd for Follower {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// The thread ends as soon as it is not waiting for Docker any more.
impl Drop for Follower {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn put(&self, update: Update) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(update);
        // A full buffer wakes as well.
        let _ = (&self.wake).write(&[0]);
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }
}

fn follow(api: &DockerApi, shared: &Shared) {
    let mut backoff = BACKOFF_MIN;
    while !shared.is_stopped() {
        match follow_stream(api, shared, &mut backoff) {
            ApiError::Ended => {}
            error => {
                // A proxy may permit lists and no events.
                let list = api.containers(LIST_TIMEOUT).map_err(|_| error.to_string());
                let lacks_events = list.is_ok().then(|| error.to_string());
                shared.put(Update { list, lacks_events });
                thread::sleep(backoff);
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        }
    }
}

/// Lists the containers whenever an event says that they may have changed, until reading fails.
fn follow_stream(api: &DockerApi, shared: &Shared, backoff: &mut Duration) -> ApiError {
    let mut events = match api.events(STREAM_LIFETIME) {
        Ok(events) => events,
        Err(error) => return error,
    };
    // The stream was opened first, so no change is missed.
    while !shared.is_stopped() {
        match api.containers(LIST_TIMEOUT) {
            Ok(list) => shared.put(Update { list: Ok(list), lacks_events: None }),
            Err(error) => return error,
        }
        *backoff = BACKOFF_MIN;
        thread::sleep(PAUSE);
        // A stream that breaks is opened again at once. If that fails, it is an error.
        if events.wait().is_err() {
            break;
        }
    }
    ApiError::Ended
}
