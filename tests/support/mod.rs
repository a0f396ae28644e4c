//! Shared parts of the tests: network namespaces, commands in them, the versions of iptables, a
//! host with clients, connections, real dockerd, podman and firewalld, and a running watch.

// Each test program uses only some of these.
#![allow(dead_code, unused_imports)]

mod cgroup;
mod command;
mod control;
mod dns;
mod docker;
mod docker_api;
mod dwnl;
mod expressions;
mod firewalld;
mod http;
mod image;
mod iptables;
mod monitor;
mod namespace;
mod podman;
mod probe;
mod prometheus;
mod publisher;
mod random;
mod segment;
mod server;
mod slice;
mod state;
mod topology;
mod trace;
mod wait;
mod watch;

use std::path::{Path, PathBuf};

pub use cgroup::Cgroup;
pub use command::{Output, companion, output};
pub use control::ControlClient;
pub use dns::{DnsProcess, Dnsmasq, ResolvConf};
pub use docker::Docker;
pub use docker_api::{ApiAnswer, FakeDocker, container as docker_api_container};
pub use dwnl::{UNGUARDED, apply, count, dwnl, plan, remove, show, uncovered_ports};
pub use expressions::expressions;
pub use firewalld::Firewalld;
pub use http::{HttpResponse, exchange, http_tcp, http_unix};
pub use iptables::Iptables;
pub use monitor::Monitor;
pub use namespace::Namespace;
pub use podman::Podman;
pub use probe::{Answer, Connection, Datagrams, tcp, udp};
pub use prometheus::{Prometheus, promtool};
pub use publisher::{Publisher, Reply};
pub use random::Random;
pub use segment::{ACK, FIN, RST, SYN, send_segment};
pub use server::{Server, TcpEcho, UdpEcho, tcp_echo, tcp_echo_at, udp_echo, udp_echo_at};
pub use slice::Slice;
pub use state::{saved, state, state_of};
pub use topology::Topology;
pub use trace::Trace;
pub use wait::{wait_for, wait_if};
pub use watch::{Files, Watch};

/// A busybox that needs no libraries.
pub fn busybox() -> PathBuf {
    unpacked("busybox/busybox")
}

/// Where `scripts/setup` unpacks what the tests need.
fn unpacked(path: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    let path = target.join(path);
    assert!(path.exists(), "{} is missing: run scripts/setup", path.display());
    path
}
