//! A real client and the server on the loopback interface.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::*;

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";

fn server() -> (Server, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("to listen");
    let address = listener.local_addr().expect("its address");
    listener.set_nonblocking(true).expect("a mode");
    (Server::new(vec![Listener::Tcp(listener)]), address)
}

/// Serves until the clients are gone.
fn serve(server: &mut Server, metrics: &str) {
    loop {
        let now = Instant::now();
        server.advance(now);
        if server.has_scrapers() {
            server.publish(metrics, now);
        }
        if server.clients.is_empty() {
            return;
        }
        let mut sources: Vec<PollFd> = server.poll_fds().collect();
        poll(&mut sources, PollTimeout::from(1_000u16)).expect("to wait");
    }
}

fn read(mut client: TcpStream) -> String {
    let mut text = String::new();
    client.read_to_string(&mut text).expect("an answer");
    text
}

fn connect(address: SocketAddr, request: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(address).expect("to connect");
    client.write_all(request).expect("to send");
    client
}

#[test]
fn answers_longer_than_a_socket_buffer_arrive_whole() {
    let (mut server, address) = server();
    let metrics = "x".repeat(8 << 20);
    let client = std::thread::spawn(move || read(connect(address, REQUEST)));
    while !server.is_ready(Instant::now()) {
        std::thread::yield_now();
    }
    serve(&mut server, &metrics);
    let text = client.join().expect("an answer");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with(&metrics));
}

#[test]
fn a_client_may_close_its_side_after_the_request() {
    let (mut server, address) = server();
    let client = connect(address, REQUEST);
    client.shutdown(std::net::Shutdown::Write).expect("to close it");
    while !server.is_ready(Instant::now()) {
        std::thread::yield_now();
    }
    serve(&mut server, "text\n");
    assert!(read(client).ends_with("\r\n\r\ntext\n"));
}

#[test]
fn a_client_that_asks_at_once_is_answered_among_many_that_do_not() {
    let (mut server, address) = server();
    let now = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..4 * CLIENTS_MAX {
        silent.push(connect(address, b"GET"));
        server.advance(now);
        assert!(server.clients.len() <= CLIENTS_MAX);
    }
    let client = connect(address, REQUEST);
    while !server.has_scrapers() {
        server.advance(now);
        std::thread::yield_now();
    }
    server.publish("text\n", now);
    drop(silent);
    assert!(read_head(client).starts_with("HTTP/1.1 200 OK\r\n"));
}

fn read_head(mut client: TcpStream) -> String {
    let mut bytes = [0; 64];
    client.read_exact(&mut bytes).expect("an answer");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_client_that_takes_too_long_is_told_so() {
    let (mut server, address) = server();
    let (now, client) = (Instant::now(), connect(address, b"GET /metrics HT"));
    while server.clients.is_empty() {
        server.advance(now);
    }
    let due = server.due().expect("a time");
    assert!(server.is_ready(due));
    server.advance(due);
    server.advance(due + Duration::from_secs(60));
    assert!(server.clients.is_empty() && server.due().is_none());
    assert!(read_head(client).starts_with("HTTP/1.1 408 "));
}
