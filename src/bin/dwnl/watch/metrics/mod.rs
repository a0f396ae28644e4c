//! What has been counted, as Prometheus reads it: in a file, and from a socket.

mod counters;
mod endpoints;
mod exporter;
mod text;

pub use counters::{Counters, Dropped, dropped};
pub use exporter::Publication;
pub use text::text;
