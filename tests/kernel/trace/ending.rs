//! Whichever way a trace ends, nothing of it remains.

use nix::sys::signal::Signal;

use crate::support::{Namespace, Topology, Trace, dwnl, tcp, wait_for};

fn tables(host: &Namespace) -> String {
    host.run(&["nft", "list", "tables"])
}

#[test]
fn a_trace_that_is_killed_leaves_nothing() {
    let host = Namespace::new();
    let mut trace = Trace::start(&host, &["192.0.2.0/24", "443"]);
    assert!(tables(&host).contains("table inet dwnl-trace-"), "{}", tables(&host));
    trace.signal(Signal::SIGKILL);
    trace.ended();
    // The kernel closes the sockets of the process and deletes their tables.
    wait_for("the table's end", || tables(&host).is_empty().then_some(()));
}

#[test]
fn signals_end_a_trace() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let host = Namespace::new();
        let events = Trace::start(&host, &["192.0.2.2"]).end(signal);
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0]["packets"], 0);
        assert_eq!(tables(&host), "");
    }
}

#[test]
fn a_trace_ends_after_its_time_or_its_packets() {
    let Topology { host, client } = &Topology::new();
    let output = dwnl(host, &["trace", "192.0.2.2", "9/udp", "--for", "50ms"], "").succeeded();
    assert!(
        output.starts_with("tracing up to 20 packets/s from 192.0.2.2 to 9/udp for 50ms\n"),
        "{output}"
    );
    assert!(output.contains("\nno packet from 192.0.2.2 to 9/udp came in within "), "{output}");

    let mut trace = Trace::start(host, &[Topology::ALLOWED, "--count", "2"]);
    for _ in 0..3 {
        let _ = tcp(client, Topology::ALLOWED, Topology::HOST, 8080);
    }
    assert_eq!((&trace.packet()["number"], &trace.packet()["number"]), (&1.into(), &2.into()));
    assert_eq!(trace.event()["event"], "end");
    assert!(trace.ended().success());
    assert_eq!(tables(host), "");
}

#[test]
fn a_closed_pipe_ends_a_trace() {
    let Topology { host, client } = &Topology::new();
    let command =
        format!("{} trace {} --for 10m | head -n 1", env!("CARGO_BIN_EXE_dwnl"), Topology::ALLOWED);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| host.run(&["sh", "-c", &command]));
        wait_for("the end of the trace", || {
            let _ = tcp(client, Topology::ALLOWED, Topology::HOST, 8080);
            (reader.is_finished() && tables(host).is_empty()).then_some(())
        });
    });
}

#[test]
fn arguments_are_checked() {
    let host = Namespace::new();
    for (args, message) in [
        (&["192.0.2.1/24"][..], "host bits"),
        (&["192.0.2.1-192.0.2.9"], "use an address or a network, not a range"),
        (&["example.com"], "example.com"),
        (&["192.0.2.1", "0"], "port"),
        (&["192.0.2.1", "53/icmp"], "icmp"),
        (&["192.0.2.1", "--for", "11m"], "use a duration of up to 10m"),
        (&["192.0.2.1", "--for", "0s"], "use a duration of up to 10m"),
        (&["192.0.2.1", "--count", "0"], "--count"),
    ] {
        let error = dwnl(&host, &[&["trace"], args].concat(), "").failed(2);
        assert!(error.contains(message), "{args:?}: {error}");
    }
    assert_eq!(tables(&host), "");
}
