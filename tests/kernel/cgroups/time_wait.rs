//! Ports on which Docker was found to listen: a socket in TIME_WAIT has no cgroup, but hands a new
//! connection on to the one that listens.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::super::support::{Answer, Cgroup, Namespace, Topology, apply, tcp, wait_for};
use super::{ALL, Service, expect, policy};

/// How long silence has to last to count as such.
const SILENCE: Duration = Duration::from_millis(1500);

/// Both ends of a connection over one version of IP.
struct Tuple {
    source: SocketAddr,
    target: SocketAddr,
}

impl Tuple {
    fn new(source: &str, target: &str) -> Tuple {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        Tuple { source: (address(source), 40_000).into(), target: (address(target), 8080).into() }
    }

    /// Sends a few bytes over a connection of these ends. `None` if it does not come about.
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

    /// Whether the host has a socket of it in TIME_WAIT.
    fn waits(&self, host: &Namespace) -> bool {
        let listing = host.run(&["ss", "-H", "--tcp", "--numeric", "state", "time-wait"]);
        // A socket of both versions has `[::ffff:192.0.2.66]:40000`.
        let (address, port) = (self.source.ip().to_string(), format!(":{}", self.source.port()));
        let mut lines = listing.lines().map(str::trim_end);
        lines.any(|line| line.contains(&address) && line.ends_with(&port))
    }
}

fn remembers(host: &Namespace) -> bool {
    host.run(&["nft", "list", "set", "inet", "dwnl", "docker-tcp"]).contains("8080 timeout")
}

/// The number of the rule for ports that are remembered.
fn handle(host: &Namespace) -> String {
    let listing = host.run(&["nft", "--handle", "list", "chain", "inet", "dwnl", "input"]);
    let mut rules = listing.lines().filter(|line| line.contains("goto docker-port"));
    let rule = rules.next().expect("the rule");
    rule.rsplit(' ').next().expect("a word").to_owned()
}

#[test]
fn a_refused_client_does_not_get_in_by_a_socket_that_waits_to_be_forgotten() {
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
    // The host closes first, so that it is the one that waits.
    drop(proxy);
    for mut stream in before {
        assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
    }
    for tuple in &tuples {
        wait_for("TIME_WAIT", || tuple.waits(host).then_some(()));
    }

    apply(host, &policy);
    let guarded = host.run(&["nft", "list", "chain", "inet", "dwnl", "input"]);
    assert!(!guarded.contains("8080"), "{guarded}");
    let proxy = Service::start(host, &docker.inner(), 8080);
    assert_eq!(tcp(client, Topology::ALLOWED, Topology::HOST, 8080), Answer::Answered);
    assert!(remembers(host));
    for tuple in &tuples {
        assert!(tuple.connect(client).is_none(), "{} got in", tuple.source);
        assert!(tuple.waits(host));
    }

    // Nothing else keeps them out.
    host.run(&["nft", "delete", "rule", "inet", "dwnl", "input", "handle", &handle(host)]);
    for tuple in &tuples {
        assert!(tuple.connect(client).is_some(), "{}", tuple.source);
        let (source, target) = (tuple.source.ip(), tuple.target.ip());
        let attempt = tcp(client, &source.to_string(), &target.to_string(), 8080);
        assert_eq!(attempt, Answer::TimedOut, "by another port from {source}");
    }
    drop(proxy);
}

#[test]
fn a_port_that_docker_has_left_to_the_host_is_the_hosts() {
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
    // One that is bound to an address is another to the kernel.
    let service = Service::start_at(host, own.path(), Topology::HOST, 8080);
    for source in [Topology::ALLOWED, Topology::REFUSED] {
        assert_eq!(tcp(&topology.client, source, Topology::HOST, 8080), Answer::Answered);
    }
    drop(service);
    assert!(remembers(host));
}
