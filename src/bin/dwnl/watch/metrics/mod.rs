//! What has been counted, as Prometheus reads it: in a file, and from a socket.

mod counters;
mod endpoints;
mod exporter;
mod text;

pub use counters::Counters;
pub use exporter::MetricsExporter;
pub use text::text;
