//! Metrics for Prometheus, in a file and over HTTP.

mod counters;
mod exporter;
mod exposition;
mod file;
mod http;
mod sample;

pub use counters::{Counters, FileState};
pub use exporter::{Endpoints, MetricsExporter};
pub use sample::Sample;
