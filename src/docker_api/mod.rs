//! Reads the running containers and their published ports from Docker's API over its Unix socket. It only
//! reads: `GET /containers/json` and `GET /events`. Every answer is bounded in size and time, because the
//! daemon, or a proxy in front of it, may hang or lie.

mod answer;
mod error;
#[cfg(test)]
mod tests;
mod transport;

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Response;
use ureq::{Agent, Body, BodyReader};

use crate::model::Container;
pub use error::ApiError;
use transport::{NoResolver, UnixConnector};

/// The maximum length of a list of containers, in bytes.
const LIST_MAX: u64 = 32 << 20;
/// The maximum time for the headers of an answer, where the body may take longer.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(5);
/// The running containers; without `all=1` others are left out.
const LIST: &str = "http://docker/containers/json";
/// `{"type":["container","network"],"event":[…]}`, percent-encoded: what may change a name or a published
/// port.
const EVENTS: &str = "http://docker/events?filters=%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%2C\
    %22event%22%3A%5B%22start%22%2C%22die%22%2C%22rename%22%2C%22destroy%22%2C%22connect%22%2C%22disconnect\
    %22%5D%7D";

/// Docker's API at a Unix socket.
#[derive(Clone, Debug)]
pub struct DockerApi {
    agent: Agent,
}

impl DockerApi {
    /// The API at this socket. Connects to nothing yet.
    pub fn new(socket: &Path) -> DockerApi {
        let config = Config::builder()
            .proxy(None)
            .max_redirects(0)
            .max_idle_connections(0)
            .user_agent(concat!("dwnl/", env!("CARGO_PKG_VERSION")))
            .build();
        DockerApi { agent: Agent::with_parts(config, UnixConnector::new(socket), NoResolver) }
    }

    /// The running containers, within this time.
    ///
    /// # Errors
    /// If the API cannot be reached, does not answer in time, or answers anything else.
    pub fn containers(&self, timeout: Duration) -> Result<Vec<Container>, ApiError> {
        let request = self.agent.get(LIST).config().timeout_global(Some(timeout)).build();
        let mut body = body(request.call()?)?;
        let text = body.with_config().limit(LIST_MAX).read_to_vec()?;
        answer::containers(&text)
    }

    /// The changes of containers from now on, for at most this time.
    ///
    /// # Errors
    /// If the API cannot be reached, or does not begin to answer in time.
    pub fn events(&self, lifetime: Duration) -> Result<Events, ApiError> {
        let request = self
            .agent
            .get(EVENTS)
            .config()
            .timeout_connect(Some(HEADERS_TIMEOUT))
            .timeout_send_request(Some(HEADERS_TIMEOUT))
            .timeout_recv_response(Some(HEADERS_TIMEOUT))
            .timeout_recv_body(Some(lifetime))
            .build();
        Ok(Events { reader: body(request.call()?)?.into_with_config().limit(u64::MAX).reader() })
    }
}

/// The body of an answer with status 200. Redirections are not followed.
fn body(answer: Response<Body>) -> Result<Body, ApiError> {
    match answer.status().as_u16() {
        200 => Ok(answer.into_body()),
        status => Err(ApiError::Status(status)),
    }
}

/// The changes of containers, as they happen.
pub struct Events {
    reader: BodyReader<'static>,
}

impl Events {
    /// Waits until a container may have changed. Several changes may count as one. What has changed is not
    /// read: [`DockerApi::containers`] has to be asked anew.
    ///
    /// # Errors
    /// [`ApiError::Ended`] if the stream has ended or its lifetime is over, which is usual; another error if
    /// reading fails.
    pub fn wait(&mut self) -> Result<(), ApiError> {
        let mut events = [0; 16 << 10];
        match self.reader.read(&mut events) {
            Ok(0) => Err(ApiError::Ended),
            Ok(_) => Ok(()),
            Err(error) => match ApiError::from(ureq::Error::from(error)) {
                ApiError::TimedOut => Err(ApiError::Ended),
                error => Err(error),
            },
        }
    }
}
