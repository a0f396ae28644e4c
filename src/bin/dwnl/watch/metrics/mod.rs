//! Metrics for Prometheus, in a file and over HTTP.

mod counters;
mod exporter;
mod exposition;
mod file;
mod http;
mod refusal_reader;
mod refusals;
mod sample;

pub use counters::{Counters, FileState};
pub use exporter::{Endpoints, MetricsExporter};
pub use refusal_reader::ReadResult;
pub use sample::{Digests, Sample};
