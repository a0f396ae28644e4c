//! `dwnl refused` as a user sees it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::super::UNGUARDED;
use super::super::support::{Topology, companion, dwnl};
use super::Site;

fn text(site: &Site, args: &[&str]) -> String {
    dwnl(&site.topology.host, &[&["refused"], args].concat(), "").succeeded()
}

fn json(site: &Site, args: &[&str]) -> Value {
    serde_json::from_str(&text(site, &[args, &["--json"]].concat())).expect("JSON")
}

#[test]
fn sources_are_listed_and_selected() {
    let mut site = Site::new();
    assert_eq!(text(&site, &[]), "nothing is recorded: no policy is applied\n");
    site.apply(UNGUARDED);
    assert!(text(&site, &[]).starts_with("nothing is recorded: the guard is off"));
    site.apply(super::POLICY);
    assert!(text(&site, &[]).starts_with("nothing was refused"));
    site.send(Topology::REFUSED, Topology::HOST, 2);
    site.send(Topology::ALLOWED, Topology::HOST, 1);

    let listed = text(&site, &[]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines[0], "refused sources, the most recent first:");
    assert!(lines[2].ends_with("192.0.2.2   8080/udp        1  published port"), "{listed}");
    assert!(lines[3].ends_with("192.0.2.66  8080/udp        2  published port"), "{listed}");
    assert!(listed.lines().all(|line| line.len() <= 80), "{listed}");
    assert_eq!(text(&site, &["--top", "1"]).matches("and 1 more").count(), 1);
    let sorted = text(&site, &["--sort", "packets"]);
    assert!(sorted.lines().nth(2).is_some_and(|line| line.contains("192.0.2.66")), "{sorted}");

    let count = |args: &[&str]| json(&site, args)["source_count"].as_u64();
    assert_eq!(count(&[]), Some(2));
    assert_eq!(count(&["--source", "192.0.2.64/26"]), Some(1));
    assert_eq!(count(&["--source", "2001:db8::/32"]), Some(0));
    assert_eq!(count(&["--port", "8080"]), Some(2));
    assert_eq!(count(&["--port", "8080/tcp"]), Some(0));
    assert_eq!(count(&["--port", "8000-8100/udp", "--since", "1h"]), Some(2));
    assert_eq!(count(&["--since", "0s"]), Some(0));
    let source = &json(&site, &["--source", Topology::REFUSED])["sources"][0];
    assert_eq!((&source["packets"], &source["path"]), (&2.into(), &"published_port".into()));
}

#[test]
fn what_happens_is_followed_until_an_interrupt() {
    let mut site = Site::closed();
    site.send(Topology::REFUSED, Topology::HOST, 1);
    let mut follower = companion(&site.topology.host.path())
        .args([env!("CARGO_BIN_EXE_dwnl"), "refused", "--follow", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("dwnl");
    let mut lines = BufReader::new(follower.stdout.take().expect("its output")).lines();
    let (printed, line) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        while let Some(Ok(line)) = lines.next() {
            let _ = printed.send(serde_json::from_str::<Value>(&line).expect("JSON"));
        }
    });
    // It prints only what happens once it has read the sets for the first time.
    let event = loop {
        site.send(Topology::REFUSED, Topology::HOST, 1);
        if let Ok(event) = line.try_recv() {
            break event;
        }
    };
    assert_eq!(event["source"], Topology::REFUSED);
    assert_eq!(event["port"], "8080/udp");
    assert!(event["packets"].as_u64() > event["new_packets"].as_u64(), "{event}");
    kill(Pid::from_raw(follower.id().cast_signed()), Signal::SIGINT).expect("to interrupt it");
    assert_eq!(follower.wait().expect("its end").code(), Some(0));
    reader.join().expect("the reader");
    assert_eq!(site.refused().sources.len(), 1);
}
