//! A publisher of lists: a server of HTTP whose answers are any bytes, and the shipped program that
//! downloads them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;

use super::command::path;
use super::{Output, output};

/// What the server answers.
#[derive(Clone)]
pub enum Reply {
    /// These bytes, and then the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes, and then lines without an end.
    Endless(Vec<u8>),
    /// A redirection to this URL.
    Redirect(String),
}

impl Reply {
    /// A list.
    pub fn list(text: &str) -> Reply {
        Reply::body(text.as_bytes())
    }

    /// A body whose length is said.
    pub fn body(body: &[u8]) -> Reply {
        Reply::of_length(body.len(), body)
    }

    /// A body that is said to have this length.
    pub fn of_length(length: usize, body: &[u8]) -> Reply {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        Reply::Bytes([head.as_bytes(), body].concat())
    }
}

/// A server on the loopback interface, with a directory for its lists.
pub struct Publisher {
    address: SocketAddr,
    reply: Arc<Mutex<Reply>>,
    programs: TempDir,
    /// Where the lists are put.
    lists: PathBuf,
}

impl Publisher {
    /// A server in the network namespace of the calling thread. Its lists are put into this directory.
    pub fn start(lists: &Path) -> Publisher {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("its address");
        let reply = Arc::new(Mutex::new(Reply::list("")));
        let shared = reply.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let reply = shared.lock().expect("the reply").clone();
                thread::spawn(move || serve(connection, &reply));
            }
        });
        let programs = TempDir::new().expect("a directory");
        symlink(env!("CARGO_BIN_EXE_dwnl"), programs.path().join("dwnl")).expect("a link");
        Publisher { address, reply, programs, lists: lists.to_owned() }
    }

    /// The URL of the list.
    pub fn url(&self) -> String {
        format!("http://{}/list", self.address)
    }

    /// Sets what the server answers from now on.
    pub fn reply(&self, reply: Reply) {
        *self.reply.lock().expect("the reply") = reply;
    }

    /// Downloads the list with these settings, of which each is `KEY=VALUE`.
    #[track_caller]
    pub fn fetch(&self, settings: &[&str]) -> Output {
        let path = format!("PATH={}:{}", self.programs.path().display(), path());
        let state = format!("STATE_DIRECTORY={}", self.lists.display());
        let url = format!("URL={}", self.url());
        let defaults = [&path, &state, &url, "ALLOW_HTTP=yes", "FILE=list.txt"];
        let program = ["sh", "packaging/fetch", "list"];
        let output = output(&[&["env", "-i"], &defaults[..], settings, &program].concat(), "");
        let left: Vec<_> = fs::read_dir(&self.lists)
            .expect("the lists")
            .map(|file| file.expect("a file").file_name())
            .filter(|name| name.to_string_lossy().starts_with(".fetch"))
            .collect();
        assert!(left.is_empty(), "{left:?} left: {output}");
        output
    }
}

/// Answers one request. The client may hang up at any time.
fn serve(mut connection: TcpStream, reply: &Reply) {
    let mut request = BufReader::new(connection.try_clone().expect("a descriptor"));
    let mut line = String::new();
    while request.read_line(&mut line).is_ok_and(|length| length > 2) {
        line.clear();
    }
    let _ = match reply {
        Reply::Bytes(bytes) => connection.write_all(bytes),
        Reply::Redirect(url) => connection.write_all(
            format!("HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n")
                .as_bytes(),
        ),
        Reply::Endless(head) => {
            let lines = "192.0.2.1\n".repeat(6553);
            let chunk = format!("{:x}\r\n{lines}\r\n", lines.len());
            let mut sent = connection.write_all(head);
            while sent.is_ok() {
                sent = connection.write_all(chunk.as_bytes());
            }
            sent
        }
    };
}
