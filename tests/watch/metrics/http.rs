//! HTTP over TCP and the Unix socket, also with clients that mean no good.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::super::idle::asleep;
use super::super::support::{Files, HttpResponse, Namespace, Watch, exchange, http_tcp, http_unix};
use super::super::{host, policy, wait_until_in_force};
use super::value;

const V4: &str = "127.0.0.1:9120";
const V6: &str = "[::1]:9120";

/// A watch that listens on a socket, and on TCP over both IP versions.
fn start(host: &Namespace) -> (Watch, PathBuf) {
    let files = Files::new(&policy());
    let socket = files.path("metrics");
    let options = ["--metrics-listen", V4, "--metrics-listen", V6, "--metrics-socket"];
    let socket_option = socket.to_string_lossy().into_owned();
    let options: Vec<&str> = options.into_iter().chain([socket_option.as_str()]).collect();
    (Watch::start_with(host, files, &options), socket)
}

fn connect(host: &Namespace, address: &str, sent: &[u8]) -> TcpStream {
    let address: SocketAddr = address.parse().expect("an address");
    let mut client = host.inside(|| TcpStream::connect(address)).expect("to connect");
    client.write_all(sent).expect("to send");
    client
}

fn request(host: &Namespace, line: &str) -> HttpResponse {
    let request = format!("{line}\r\nHost: localhost\r\n\r\n");
    exchange(connect(host, V4, b""), request.as_bytes())
}

#[test]
fn pages_are_served_over_tcp_and_the_socket() {
    let host = host();
    let (watch, socket) = start(&host);
    for address in [V4, V6] {
        let address: SocketAddr = address.parse().expect("an address");
        let answer = host.inside(|| http_tcp(address, "/metrics"));
        assert_eq!(answer.status, 200);
        let media_type = "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n";
        assert!(answer.head.contains(media_type), "{}", answer.head);
        assert!(answer.body.contains("\ndwnl_policy_current 1\n"), "{}", answer.body);
    }
    assert!(http_unix(&socket, "/").body.contains("/metrics"));
    assert_eq!(http_unix(&socket, "/other").status, 404);
    let head = request(&host, "HEAD /metrics HTTP/1.1");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert!(head.head.contains("\r\nContent-Length: "), "{}", head.head);
    assert_eq!(request(&host, "POST /metrics HTTP/1.1").status, 405);
    assert_eq!(request(&host, "nonsense").status, 400);
    assert!(!watch.log().contains("can be read by"), "{}", watch.log());

    let url = format!("http://{V4}/metrics");
    let text = host.run(&["curl", "-sSf", &url]);
    assert!(text.contains("\ndwnl_policy_current 1\n"), "{text}");
    let socket = socket.to_string_lossy();
    let text = host.run(&["curl", "-sSf", "--unix-socket", &socket, "http://localhost/metrics"]);
    assert!(text.contains("\ndwnl_policy_current 1\n"), "{text}");
}

/// Clients that say nothing, do not finish, do not read, or send without an end.
#[test]
fn hostile_clients_do_not_block_the_watch() {
    let host = host();
    let (mut watch, socket) = start(&host);
    let whole = b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
    let sent = [b"".as_slice(), b"GET", whole, &[b'x'; 100_000]];
    let clients: Vec<TcpStream> =
        (0..200).map(|n| connect(&host, V4, if n == 7 { sent[3] } else { sent[n % 3] })).collect();
    let silent: Vec<UnixStream> =
        (0..100).map(|_| UnixStream::connect(&socket).expect("to connect")).collect();
    host.run(&["nft", "flush", "ruleset"]);
    wait_until_in_force(&host, &policy(), "the repair");
    assert_eq!(value(&socket, "dwnl_repairs_total"), 1.0);
    drop((clients, silent));

    watch.signal(Signal::SIGTERM);
    assert_eq!(watch.ended().code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn scrapes_and_silent_clients_leave_no_work_behind() {
    let host = host();
    let (watch, socket) = start(&host);
    assert_eq!(value(&socket, "dwnl_repairs_total"), 0.0);
    let _silent = connect(&host, V6, b"GET /");
    asleep(&watch, Duration::from_secs(2));
    assert_eq!(value(&socket, "dwnl_repairs_total"), 0.0);
}

#[test]
fn an_address_that_other_hosts_reach_is_warned_of() {
    let host = host();
    let options = ["--metrics-listen", "0.0.0.0:9120"];
    let watch = Watch::start_with(&host, Files::new(&policy()), &options);
    watch.logged("warning: the metrics at 0.0.0.0:9120 can be read by every host");
    assert_eq!(request(&host, "GET /metrics HTTP/1.1").status, 200);
}

/// The rules of an earlier apply stay, but no watch starts without the metrics it was asked for.
#[test]
fn an_address_in_use_is_an_error() {
    let host = host();
    let (_watch, _) = start(&host);
    let other = Namespace::new();
    let inside = other.path();
    let files = Files::new(&policy());
    let options = ["--netns", &inside, "--metrics-listen", V4];
    let mut second = files.launch(&host, &options, &[]);
    assert_eq!(second.ended().code(), Some(1));
    second.logged(&format!("cannot listen at {V4}: Address already in use"));
}
