//! The text on a terminal of 80 columns.

use super::site::{PORT, Site};
use crate::support::{Topology, apply, dwnl, tcp, wait_for};

/// The output with the times, the client's port and the duration replaced.
fn masked(output: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in output.lines() {
        let mut line = line.to_owned();
        if line.contains(" packet ") && line.as_bytes().get(2) == Some(&b':') {
            line.replace_range(..12, "12:00:00.000");
        }
        if let Some((before, after)) = line.clone().split_once("192.0.2.66:") {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            line = format!("{before}192.0.2.66:40000{rest}");
        }
        if line.starts_with("1 packet in ") || line.starts_with("1 of ") {
            line = "1 packet in 1.0 s".to_owned();
        }
        lines.push(line);
    }
    lines.join("\n")
}

#[test]
fn a_refused_packet_is_a_few_lines() {
    let Site { host, client, .. } = &Site::new();
    apply(host, crate::POLICY);
    let args = ["trace", Topology::REFUSED, "8080", "--for", "10m", "--count", "1"];
    let traced = std::thread::scope(|scope| {
        let trace = scope.spawn(|| dwnl(host, &args, "").succeeded());
        wait_for("a packet", || {
            let _ = tcp(client, Topology::REFUSED, Topology::HOST, PORT);
            trace.is_finished().then_some(())
        });
        trace.join().expect("the output")
    });
    assert!(traced.lines().all(|line| line.chars().count() <= 80), "{traced}");
    let expected = "\
tracing up to 20 packets/s from 192.0.2.66 to 8080/tcp for 10m
12:00:00.000 packet 1 on eth0: tcp 192.0.2.66:40000 > 192.0.2.1:8080 SYN
  prerouting  ip nat PREROUTING > … > DOCKER: accept
              destination is now 172.30.0.2:80
  prerouting  inet dwnl marked > translated: drop
  dropped by inet dwnl translated:
    drop comment \"not allowed: published port\"
1 packet in 1.0 s";
    assert_eq!(masked(&traced), expected);
}
