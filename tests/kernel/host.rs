//! Host state other than the ruleset: interfaces, listening sockets and their cgroups.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use dwnl::Engine;
use dwnl::cgroup::Hierarchy;
use dwnl::model::{Family, HostState, Link, Listener, Name, Protocol};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Socket, Type};

use super::support::{Cgroup, Namespace, Server, wait_for};

fn host_state(host: &Namespace) -> HostState {
    host.inside(Engine::open).expect("an engine").host_state().expect("the state of the host")
}

fn listeners(host: &Namespace) -> Vec<Listener> {
    host_state(host).listeners.expect("a kernel that can list its sockets")
}

/// A socket that listens on this address. An IPv6 socket also accepts IPv4, unless `only_v6`.
fn socket(protocol: Protocol, address: &str, only_v6: bool) -> Socket {
    let address: SocketAddr = address.parse().expect("an address");
    let kind = if protocol == Protocol::Tcp { Type::STREAM } else { Type::DGRAM };
    let socket = Socket::new(Domain::for_address(address), kind, None).expect("a socket");
    if address.is_ipv6() {
        socket.set_only_v6(only_v6).expect("to choose the families");
    }
    setsockopt(&socket, sockopt::ReusePort, &true).expect("to share the port");
    socket.bind(&address.into()).expect("to bind");
    if protocol == Protocol::Tcp {
        socket.listen(1).expect("to listen");
    }
    socket
}

#[test]
fn listening_sockets_are_listed() {
    use Family::{Inet, Ip, Ip6};
    use Protocol::{Tcp, Udp};
    let cases = [
        (Tcp, "0.0.0.0:80", false, Ip, None),
        (Tcp, "127.0.0.1:81", false, Ip, Some("127.0.0.1")),
        (Tcp, "[::]:82", false, Inet, None),
        (Tcp, "[::]:83", true, Ip6, None),
        (Tcp, "[::1]:84", false, Ip6, Some("::1")),
        (Tcp, "[::ffff:127.0.0.1]:85", false, Ip, Some("127.0.0.1")),
        (Tcp, "[::ffff:0.0.0.0]:86", false, Ip, None),
        // A second socket with the same address and port.
        (Tcp, "127.0.0.1:81", false, Ip, Some("127.0.0.1")),
        (Udp, "0.0.0.0:80", false, Ip, None),
        (Udp, "[::]:82", false, Inet, None),
        (Udp, "[::]:83", true, Ip6, None),
        (Udp, "[::1]:84", true, Ip6, Some("::1")),
        (Udp, "[::ffff:127.0.0.1]:85", false, Ip, Some("127.0.0.1")),
    ];
    let host = Namespace::new();
    assert_eq!(listeners(&host), []);
    let cgroup = Some(Cgroup::own_id());
    let open = |(protocol, at, only_v6, family, address): &(_, &str, _, _, Option<&str>)| {
        let socket = socket(*protocol, at, *only_v6);
        let port = at.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let address = address.map(|address| address.parse::<IpAddr>().expect("an address"));
        let (family, protocol) = (*family, *protocol);
        (Listener { family, address, protocol, port, cgroup }, socket)
    };
    let opened: BTreeMap<Listener, Vec<Socket>> = host.inside(|| {
        cases.iter().map(open).fold(BTreeMap::new(), |mut all, (listener, socket)| {
            all.entry(listener).or_insert_with(Vec::new).push(socket);
            all
        })
    });
    // None of these sockets listens.
    let _others = host.inside(|| {
        let client = TcpStream::connect("127.0.0.1:80").expect("a connection");
        let connected = UdpSocket::bind("127.0.0.1:90").expect("a socket");
        connected.connect("127.0.0.1:91").expect("to choose the peer");
        let bound = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let address: SocketAddr = "127.0.0.1:92".parse().expect("an address");
        bound.bind(&address.into()).expect("to bind");
        (client, connected, bound)
    });
    assert!(listeners(&host).iter().eq(opened.keys()), "{:#?}", listeners(&host));
    drop(opened);
    assert_eq!(listeners(&host), []);
}

/// The dump needs more than one datagram.
#[test]
fn many_listeners_match_the_output_of_ss() {
    let host = Namespace::new();
    let _sockets = host.inside(|| {
        let tcp = (0..300).map(|n| TcpListener::bind((format!("127.0.0.{}", n % 7 + 1), 2000 + n)));
        let udp = (0..50).map(|n| UdpSocket::bind(("::", 3000 + n)));
        let tcp: Vec<TcpListener> = tcp.map(|socket| socket.expect("a socket")).collect();
        (tcp, udp.map(|socket| socket.expect("a socket")).collect::<Vec<UdpSocket>>())
    });
    let table = host.run(&["ss", "-H", "--listening", "--tcp", "--udp", "--numeric"]);
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let (protocol, local) = (words.next()?.to_owned(), words.nth(3)?);
        Some((protocol, local.rsplit(':').next()?.parse().ok()?))
    };
    let shown: BTreeSet<(String, u16)> = table.lines().filter_map(line).collect();
    assert_eq!(shown.len(), 350, "{table}");
    let listed = listeners(&host).into_iter();
    let listed: BTreeSet<_> = listed.map(|it| (it.protocol.to_string(), it.port)).collect();
    assert_eq!(listed, shown);
}

#[test]
fn the_cgroup_id_of_a_socket_is_the_inode_of_its_directory() {
    let (host, made) = (Namespace::new(), Cgroup::new());
    let server = Server::start(&host, made.path(), 8080);
    let listener = wait_for("the server to listen", || listeners(&host).into_iter().next());
    assert_eq!((listener.protocol, listener.port), (Protocol::Tcp, 8080));
    assert_eq!(listener.cgroup, Some(made.id()));

    let hierarchy = Hierarchy::open().expect("the hierarchy");
    let cgroup = hierarchy.find(made.name()).expect("the cgroup");
    assert_eq!(listener.cgroup, Some(cgroup.id));
    let paths = hierarchy.paths(&BTreeSet::from([cgroup.id]));
    assert_eq!(paths, BTreeMap::from([(cgroup.id, cgroup)]));

    let name = made.name().to_owned();
    drop(server);
    drop(made);
    assert_eq!(hierarchy.find(&name), None);
}

fn link(kind: Option<&str>, ports: &[(&str, &str)]) -> Link {
    let port = |(name, kind): &(&str, &str)| (Name::from(*name), Some(Name::from(*kind)));
    Link { kind: kind.map(Name::from), ports: ports.iter().map(port).collect() }
}

#[test]
fn interfaces_are_listed_with_kinds_and_bridge_ports() {
    let host = Namespace::new();
    let commands = [
        "link add br-one type bridge",
        "link add br-two type bridge",
        "link add veth0 type veth peer name veth1",
        "link add eth0 type veth peer name eth1",
        "link add vxlan0 type vxlan id 7 dstport 4789",
        "link set veth0 master br-one",
        "link set eth0 master br-one",
        "link set vxlan0 master br-two",
    ];
    host.try_run(&["ip", "-batch", "-"], &commands.join("\n")).succeeded();
    let expected = [
        ("br-one", link(Some("bridge"), &[("eth0", "veth"), ("veth0", "veth")])),
        ("br-two", link(Some("bridge"), &[("vxlan0", "vxlan")])),
        ("eth0", link(Some("veth"), &[])),
        ("eth1", link(Some("veth"), &[])),
        ("lo", link(None, &[])),
        ("veth0", link(Some("veth"), &[])),
        ("veth1", link(Some("veth"), &[])),
        ("vxlan0", link(Some("vxlan"), &[])),
    ];
    let expected = expected.map(|(name, link)| (Name::from(name), link));
    assert_eq!(host_state(&host).links, BTreeMap::from(expected));
}

/// The dump needs more than one datagram, and lists the bridge after some of its ports.
#[test]
fn all_ports_of_a_large_bridge_are_listed() {
    let host = Namespace::new();
    let pair = |n| format!("link add port{n:03} type veth peer name peer{n:03}");
    let attach = |n| format!("link set port{n:03} master br0");
    let (early, late, all) = ((0..20).map(pair), (20..60).map(pair), (0..60).map(attach));
    let bridge = std::iter::once("link add br0 type bridge".to_owned());
    let commands: Vec<String> = early.chain(bridge).chain(late).chain(all).collect();
    host.try_run(&["ip", "-batch", "-"], &commands.join("\n")).succeeded();

    let names: Vec<String> = (0..60).map(|n| format!("port{n:03}")).collect();
    let ports: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "veth")).collect();
    let links = host_state(&host).links;
    assert_eq!(links.len(), 122);
    assert_eq!(links.get("br0"), Some(&link(Some("bridge"), &ports)));
}
