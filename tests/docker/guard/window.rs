//! Whether a refused client gets in while ports are being published, container after container,
//! under continuous connection attempts. Over IPv6, where docker-proxy is the only path.
//!
//! The long run with fifty containers, and the measurement of `dwnl watch` alone:
//! `scripts/run --test docker -- --ignored --nocapture --test-threads=1 window`

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::super::site::{ECHO, Site, expect};
use super::super::support::{Answer, Docker, Namespace, Topology, Watch, apply};

const FEW: Range<u16> = 8100..8110;
const MANY: Range<u16> = 8100..8150;

/// Number of clients that connect at the same time.
const CLIENTS: u16 = 4;

/// Time-out of a connection attempt. A container answers sooner, and a dropped attempt is soon
/// repeated.
const TIMEOUT: Duration = Duration::from_millis(50);

/// Pause between two attempts of a client, which leaves time for Docker and `dwnl watch`.
const PAUSE: Duration = Duration::from_millis(1);

/// Allows one client, to show that the ports are published.
const POLICY: &str = r#"
[[allow]]
ports = ["8100-8149/tcp"]
from = ["2001:db8::2"]
"#;

/// The results of the clients' attempts.
#[derive(Default)]
struct Tally {
    done: AtomicBool,
    /// The port that is being published.
    port: AtomicU16,
    /// The first port of the run. Earlier ones are left alone: flows to them began without dwnl, and
    /// conntrack takes a SYN that reuses the ports of such a flow for part of it.
    first: u16,
    attempts: AtomicUsize,
    /// The connections that were established, by their ports: `40000 to 8100`.
    connected: Mutex<Vec<String>>,
}

impl Tally {
    /// Connects to the port that is being published, or to the one that was published `before`
    /// ports earlier.
    fn connect(&self, client: &Namespace, before: u16) {
        let source = SocketAddr::new(ip(Topology::REFUSED6), 0);
        client.inside(|| {
            while !self.done.load(Ordering::Relaxed) {
                let port = (self.port.load(Ordering::Relaxed) - before).max(self.first);
                let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP));
                let socket = socket.expect("a TCP socket");
                socket.bind(&source.into()).expect("to bind to the source");
                let target = SocketAddr::new(ip(Topology::HOST6), port).into();
                let connected = socket.connect_timeout(&target, TIMEOUT).is_ok();
                self.attempts.fetch_add(1, Ordering::Relaxed);
                if connected {
                    self.connected.lock().expect("the list").push(connection(&socket, port));
                }
                thread::sleep(PAUSE);
            }
        });
    }
}

/// Stops the clients, also when the test fails.
struct StopOnDrop<'a>(&'a Tally);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.done.store(true, Ordering::Relaxed);
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn connection(socket: &Socket, destination: u16) -> String {
    let local = socket.local_addr().ok().and_then(|address| address.as_socket());
    let source = local.map_or(0, |address| address.port());
    format!("{source} to {destination}")
}

/// Publishes these ports one after the other. Returns the number of attempts, and the connections
/// that were established.
fn publish_under_attempts(site: &Site, ports: Range<u16>) -> (usize, Vec<String>) {
    let tally = Tally { port: ports.start.into(), first: ports.start, ..Tally::default() };
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (tally, client) = (&tally, &site.topology.client);
            scope.spawn(move || tally.connect(client, number % 2));
        }
        let _stop = StopOnDrop(&tally);
        for port in ports {
            tally.port.store(port, Ordering::Relaxed);
            let published = format!("{port}:80");
            site.docker.run(&format!("web{port}"), &["-p", &published], ECHO);
        }
    });
    (tally.attempts.into_inner(), tally.connected.into_inner().expect("the list"))
}

/// Asserts that the last port is open to the allowed client only.
#[track_caller]
fn is_guarded(site: &Site, last: u16) {
    for (source, answer) in
        [(Topology::ALLOWED6, Answer::Answered), (Topology::REFUSED6, Answer::TimedOut)]
    {
        expect(&site.topology, source, Topology::HOST6, last, answer);
    }
}

/// With the kernel's match on docker-proxy's cgroup, while no dwnl process is running.
fn no_client_gets_in(ports: Range<u16>) {
    let site = Site::service(&[]);
    // Control: without dwnl connections are established.
    let (control, leaked) = publish_under_attempts(&site, 8096..8100);
    let leaked = leaked.len();
    println!("without dwnl: {leaked} of {control} attempts connected");
    assert!(leaked > 0, "of {control} attempts");

    apply(&site.topology.host, &site.policy_with(POLICY, ""));
    let last = ports.end - 1;
    let (attempts, connected) = publish_under_attempts(&site, ports);
    println!("the kernel's match, no watch: {} of {attempts} attempts connected", connected.len());
    is_guarded(&site, last);
    assert!(connected.is_empty(), "{connected:?} of {attempts} attempts");
    let expected = attempts * leaked / control;
    assert!(expected >= 10, "without dwnl {expected} of {attempts} attempts would have connected");
}

#[test]
fn no_client_gets_in_while_ports_are_published() {
    no_client_gets_in(FEW);
}

#[test]
#[ignore = "takes minutes"]
fn no_client_gets_in_while_many_ports_are_published() {
    no_client_gets_in(MANY);
}

/// How long a port stays open where the kernel cannot identify docker-proxy, because dockerd has no
/// cgroup of its own.
#[test]
#[ignore = "a measurement"]
fn measure_watch_alone() {
    let topology = Topology::new();
    let docker = Docker::start(&topology.host, &[]);
    let site = Site { topology, docker };
    let mut watch = Watch::start(&site.topology.host, POLICY);
    let last = MANY.end - 1;
    let (attempts, connected) = publish_under_attempts(&site, MANY);
    println!("a watch alone: {} of {attempts} attempts connected", connected.len());
    super::becomes(&site, Topology::REFUSED6, last, Answer::TimedOut);
    is_guarded(&site, last);
    assert!(watch.is_running(), "{}", watch.log());
}
