//! Why Docker's API is of no use at the moment.

use std::io;

/// Why Docker's API did not say what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The socket cannot be connected to, or the connection broke.
    #[error("{0}")]
    Io(io::Error),
    /// There was no complete answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The answer has another status than 200. A proxy refuses what it does not permit with 403.
    #[error("the answer has status {0}")]
    Status(u16),
    /// The answer is longer than any real one.
    #[error("the answer is too long")]
    TooLong,
    /// The answer is not HTTP.
    #[error("the answer is not HTTP: {0}")]
    Protocol(String),
    /// The answer is not a list of containers.
    #[error("the answer is not a list of containers: {0}")]
    Malformed(String),
    /// The stream of events has ended.
    #[error("the stream of events has ended")]
    Ended,
}

impl From<ureq::Error> for ApiError {
    fn from(error: ureq::Error) -> ApiError {
        match error {
            ureq::Error::Io(error) => match error.downcast::<ureq::Error>() {
                // Reading a body wraps its errors.
                Ok(inner) => ApiError::from(inner),
                Err(error) => ApiError::Io(error),
            },
            ureq::Error::Timeout(_) => ApiError::TimedOut,
            ureq::Error::StatusCode(status) => ApiError::Status(status),
            ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => {
                ApiError::TooLong
            }
            error => ApiError::Protocol(error.to_string()),
        }
    }
}
