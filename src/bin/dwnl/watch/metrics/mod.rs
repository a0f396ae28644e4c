//! Metrics for Prometheus, in a file and from a socket.

mod counters;
mod endpoints;
mod exporter;
mod exposition;

pub use counters::Counters;
pub use exporter::MetricsExporter;
pub use exposition::text;
