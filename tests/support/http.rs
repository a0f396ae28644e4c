//! A client of HTTP/1.1 servers that close the connection after each answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// An answer.
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The header.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Gets a page over a Unix socket.
#[track_caller]
pub fn http_unix(socket: &Path, path: &str) -> HttpResponse {
    exchange(UnixStream::connect(socket).expect("to connect"), &get(path))
}

/// Gets a page over TCP, from the network namespace of the calling thread.
#[track_caller]
pub fn http_tcp(address: SocketAddr, path: &str) -> HttpResponse {
    exchange(TcpStream::connect(address).expect("to connect"), &get(path))
}

/// Sends a request and returns the answer.
#[track_caller]
pub fn exchange(mut connection: impl Read + Write, request: &[u8]) -> HttpResponse {
    connection.write_all(request).expect("to send a request");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a header");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    HttpResponse { status, head: head.to_owned(), body: body.to_owned() }
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}
