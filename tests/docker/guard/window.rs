//! Whether anybody gets in while ports are being published: containers in a row, under clients who do not
//! stop calling. Over IPv6, because there docker-proxy alone is in the way.
//!
//! The long run, with fifty containers, and the figure of a watch alone:
//! `scripts/run --test docker -- --ignored --nocapture --test-threads=1 window`

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::super::site::{ECHO, Site, expect};
use super::super::support::{Answer, Docker, Namespace, Topology, Watch, apply};

const FEW: Range<u16> = 8100..8110;
const MANY: Range<u16> = 8100..8150;

/// How many clients call at once.
const CLIENTS: u16 = 4;

/// How long a call waits. A container answers sooner, and what is dropped is soon tried again.
const PATIENCE: Duration = Duration::from_millis(50);

/// Between two calls of a client, so that there is time left for Docker and for the watch.
const BREATH: Duration = Duration::from_millis(1);

/// Lets one client in, so that it can be seen that the ports are published.
const POLICY: &str = r#"
[[allow]]
ports = ["8100-8149/tcp"]
from = ["2001:db8::2"]
"#;

/// What the clients have met.
#[derive(Default)]
struct Tally {
    over: AtomicBool,
    /// The port that is being published.
    port: AtomicU16,
    calls: AtomicUsize,
    connected: AtomicUsize,
}

impl Tally {
    /// Calls the port that is being published, or that which was published before it.
    fn call(&self, client: &Namespace, before: u16) {
        let source = SocketAddr::new(ip(Topology::REFUSED6), 0);
        client.inside(|| {
            while !self.over.load(Ordering::Relaxed) {
                let port = self.port.load(Ordering::Relaxed) - before;
                let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP));
                let socket = socket.expect("a TCP socket");
                socket.bind(&source.into()).expect("to bind to the source");
                let target = SocketAddr::new(ip(Topology::HOST6), port).into();
                let connected = socket.connect_timeout(&target, PATIENCE).is_ok();
                self.calls.fetch_add(1, Ordering::Relaxed);
                self.connected.fetch_add(connected.into(), Ordering::Relaxed);
                thread::sleep(BREATH);
            }
        });
    }
}

/// Ends the calls, however the test ends.
struct Over<'a>(&'a Tally);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Publishes these ports one after the other and returns how many calls were made and how many connected.
fn publish_under_calls(site: &Site, ports: Range<u16>) -> (usize, usize) {
    let tally = Tally { port: ports.start.into(), ..Tally::default() };
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (tally, client) = (&tally, &site.topology.client);
            scope.spawn(move || tally.call(client, number % 2));
        }
        let _over = Over(&tally);
        for port in ports {
            tally.port.store(port, Ordering::Relaxed);
            let published = format!("{port}:80");
            site.docker.run(&format!("web{port}"), &["-p", &published], ECHO);
        }
    });
    (tally.calls.into_inner(), tally.connected.into_inner())
}

/// The last port is open to the allowed client alone.
#[track_caller]
fn is_guarded(site: &Site, last: u16) {
    for (source, answer) in
        [(Topology::ALLOWED6, Answer::Answered), (Topology::REFUSED6, Answer::TimedOut)]
    {
        expect(&site.topology, source, Topology::HOST6, last, answer);
    }
}

/// With the kernel's match on docker-proxy's cgroup, and nothing of dwnl's running.
fn nobody_gets_in(ports: Range<u16>) {
    let site = Site::service(&[]);
    // The control: without dwnl calls come through at once.
    let (calls, connected) = publish_under_calls(&site, 8096..8100);
    println!("without dwnl: {connected} of {calls} calls connected");
    assert!(connected > 0, "of {calls} calls");

    apply(&site.topology.host, &site.told(POLICY, ""));
    let last = ports.end - 1;
    let (calls, connected) = publish_under_calls(&site, ports);
    println!("the kernel's match, no watch: {connected} of {calls} calls connected");
    is_guarded(&site, last);
    assert_eq!(connected, 0, "of {calls} calls");
    assert!(calls > 1000, "{calls} calls show nothing");
}

#[test]
fn nobody_gets_in_while_ports_are_published() {
    nobody_gets_in(FEW);
}

#[test]
#[ignore = "takes minutes"]
fn nobody_gets_in_while_many_ports_are_published() {
    nobody_gets_in(MANY);
}

/// How long the window is where the kernel cannot know docker-proxy, because dockerd has no cgroup of its
/// own.
#[test]
#[ignore = "a measurement"]
fn measure_a_watch_alone() {
    let topology = Topology::new();
    let docker = Docker::start(&topology.host, &[]);
    let site = Site { topology, docker };
    let mut watch = Watch::start(&site.topology.host, POLICY);
    let last = MANY.end - 1;
    let (calls, connected) = publish_under_calls(&site, MANY);
    println!("a watch alone: {connected} of {calls} calls connected");
    super::becomes(&site, Topology::REFUSED6, last, Answer::TimedOut);
    is_guarded(&site, last);
    assert!(watch.is_running(), "{}", watch.log());
}
