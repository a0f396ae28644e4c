//! Prometheus and its tool, as `scripts/setup` unpacked them.

use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use tempfile::TempDir;

use super::{HttpResponse, Namespace, Output, companion, output, unpacked, wait_for};

/// Where Prometheus listens, in a namespace of its own.
const ADDRESS: &str = "127.0.0.1:9090";

/// Runs promtool.
pub fn promtool(args: &[&str], stdin: &str) -> Output {
    let program = unpacked("prometheus/promtool");
    output(&[&[program.to_str().expect("UTF-8")], args].concat(), stdin)
}

/// A Prometheus that scrapes one target every second.
pub struct Prometheus<'a> {
    host: &'a Namespace,
    process: Child,
    _directory: TempDir,
}

impl Prometheus<'_> {
    /// Starts it in the namespace of the target.
    pub fn start<'a>(host: &'a Namespace, target: &str) -> Prometheus<'a> {
        let directory = TempDir::with_prefix("dwnl-prometheus-").expect("a directory");
        let config = directory.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s}}\n\
             scrape_configs: [{{job_name: dwnl, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        fs::write(&config, text).expect("to write the configuration");
        let process = companion(&host.path())
            .arg(unpacked("prometheus/prometheus"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address={ADDRESS}"))
            .args(["--web.console.templates=/nonexistent", "--log.level=error"])
            .stdout(Stdio::null())
            .spawn()
            .expect("prometheus");
        Prometheus { host, process, _directory: directory }
    }

    /// Waits until a query has a result, and returns the answer as JSON.
    #[track_caller]
    pub fn result(&self, query: &str) -> serde_json::Value {
        let address: SocketAddr = ADDRESS.parse().expect("an address");
        let query = format!("/api/v1/query?query={query}");
        wait_for(&query, || {
            let is_listening = || std::net::TcpStream::connect(address).is_ok();
            let answer = self.host.inside(|| is_listening().then(|| http_tcp_1_0(address, &query)));
            let answer: serde_json::Value = serde_json::from_str(&answer?.body).ok()?;
            let result = answer["data"]["result"].clone();
            (!result.as_array()?.is_empty()).then_some(result)
        })
    }
}

/// Prometheus closes the connection only after a request of HTTP/1.0.
fn http_tcp_1_0(address: SocketAddr, path: &str) -> HttpResponse {
    let connection = std::net::TcpStream::connect(address).expect("to connect");
    super::http::exchange(connection, format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())
}

impl Drop for Prometheus<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}
