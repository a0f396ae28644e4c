//! Ports on which Docker was found to listen: a socket in TIME_WAIT has no cgroup, but passes a new
//! connection to the listening socket.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::super::support::{Answer, Cgroup, Namespace, Topology, apply, tcp, wait_for};
use super::{ALL, Service, expect, policy};

/// How long to wait until a missing answer counts as silence.
const SILENCE: Duration = Duration::from_millis(1500);

/// Both ends of a connection over one IP version.
struct Tuple {
    source: SocketAddr,
    target: SocketAddr,
}

impl Tuple {
    fn new(source: &str, target: &str) -> Tuple {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        Tuple { source: (address(source), 40_000).into(), target: (address(target), 8080).into() }
    }

    /// Connects and exchanges a few bytes. `None` if the connection is not established.
    fn connect(&self, client: &Namespace) -> Option<TcpStream> {
        let open = || Socket::new(Domain::for_address(self.source), Type::STREAM, None);
        let socket = client.inside(open).expect("a socket");
        socket.set_reuse_address(true).expect("to use the port again");
        socket.bind(&self.source.into()).expect("to bind to the source");
        socket.connect_timeout(&self.target.into(), SILENCE).ok()?;
        let mut stream = TcpStream::from(socket);
        stream.write_all(b"ping").expect("to send");
        stream.read_exact(&mut [0; 4]).expect("an answer");
        Some(stream)
    }

    /// Whether the host has a socket of this connection in TIME_WAIT.
    fn is_in_time_wait(&self, host: &Namespace) -> bool {
        let listing = host.run(&["ss", "-H", "--tcp", "--numeric", "state", "time-wait"]);
        // A dual-stack socket is listed as `[::ffff:192.0.2.66]:40000`.
        let (address, port) = (self.source.ip().to_string(), format!(":{}", self.source.port()));
        let mut lines = listing.lines().map(str::trim_end);
        lines.any(|line| line.contains(&address) && line.ends_with(&port))
    }
}

fn remembers(host: &Namespace) -> bool {
    host.run(&["nft", "list", "set", "inet", "dwnl", "docker-tcp"]).contains("8080 timeout")
}

/// The handle of the rule for remembered ports.
fn handle(host: &Namespace) -> String {
    let listing = host.run(&["nft", "--handle", "list", "chain", "inet", "dwnl", "local-socket"]);
    let mut rules = listing.lines().filter(|line| line.contains("goto docker-port"));
    let rule = rules.next().expect("the rule");
    rule.rsplit(' ').next().expect("a word").to_owned()
}

#[test]
fn a_refused_client_cannot_connect_through_a_time_wait_socket() {
    let topology = Topology::new();
    let Topology { host, client } = &topology;
    let docker = Cgroup::new();
    let policy = policy(&docker.inner_path(), &[]);
    let tuples = [
        Tuple::new(Topology::REFUSED, Topology::HOST),
        Tuple::new(Topology::REFUSED6, Topology::HOST6),
    ];
    let proxy = Service::start(host, &docker.inner(), 8080);
    let before = tuples.each_ref().map(|tuple| tuple.connect(client).expect("a connection"));
    // The host closes first, so that its side enters TIME_WAIT.
    drop(proxy);
    for mut stream in before {
        assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
    }
    for tuple in &tuples {
        wait_for("TIME_WAIT", || tuple.is_in_time_wait(host).then_some(()));
    }

    apply(host, &policy);
    let guarded = host.run(&["nft", "list", "chain", "inet", "dwnl", "input"]);
    assert!(!guarded.contains("8080"), "{guarded}");
    let proxy = Service::start(host, &docker.inner(), 8080);
    assert_eq!(tcp(client, Topology::ALLOWED, Topology::HOST, 8080), Answer::Answered);
    assert!(remembers(host));
    for tuple in &tuples {
        assert!(tuple.connect(client).is_none(), "{} got in", tuple.source);
        assert!(tuple.is_in_time_wait(host));
    }

    // Control: nothing else blocks these connections.
    host.run(&["nft", "delete", "rule", "inet", "dwnl", "local-socket", "handle", &handle(host)]);
    for tuple in &tuples {
        assert!(tuple.connect(client).is_some(), "{}", tuple.source);
        let (source, target) = (tuple.source.ip(), tuple.target.ip());
        let attempt = tcp(client, &source.to_string(), &target.to_string(), 8080);
        assert_eq!(attempt, Answer::TimedOut, "from another port of {source}");
    }
    drop(proxy);
}

#[test]
fn host_services_can_use_a_port_that_docker_released() {
    let topology = Topology::new();
    let host = &topology.host;
    let (docker, own) = (Cgroup::new(), Cgroup::new());
    apply(host, &policy(&docker.inner_path(), &[&own]));
    let proxy = Service::start(host, &docker.inner(), 8080);
    assert_eq!(tcp(&topology.client, Topology::ALLOWED, Topology::HOST, 8080), Answer::Answered);
    drop(proxy);
    assert!(remembers(host));

    let service = Service::start(host, own.path(), 8080);
    expect(&topology, 8080, ALL);
    drop(service);
    // A socket bound to an address is a separate listener to the kernel.
    let service = Service::start_at(host, own.path(), Topology::HOST, 8080);
    for source in [Topology::ALLOWED, Topology::REFUSED] {
        assert_eq!(tcp(&topology.client, source, Topology::HOST, 8080), Answer::Answered);
    }
    drop(service);
    assert!(remembers(host));
}
