//! A server in the role of Docker's API, that answers as a test wants it to.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiAnswer {
    /// Nothing, for as long as this is the answer.
    Silence,
    /// This list of containers, and no events.
    List(String),
    /// This list of containers; events are refused.
    NoEvents(String),
    /// A list without an end.
    Endless,
}

/// A running server. Its events are what [`FakeDocker::answer`] changes.
pub struct FakeDocker {
    directory: TempDir,
    answer: Arc<Mutex<ApiAnswer>>,
}

impl FakeDocker {
    /// Starts a server.
    pub fn start(answer: ApiAnswer) -> FakeDocker {
        let directory = TempDir::with_prefix("dwnl-api-").expect("a directory");
        let listener = UnixListener::bind(directory.path().join("api")).expect("a socket");
        let answer = Arc::new(Mutex::new(answer));
        let shared = Arc::clone(&answer);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answer = Arc::clone(&shared);
                // An error means that the client has given up.
                thread::spawn(move || drop(serve(&stream, &answer)));
            }
        });
        FakeDocker { directory, answer }
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("api")
    }

    /// Changes the answer, and tells so to those who wait for events.
    pub fn answer(&self, answer: ApiAnswer) {
        *self.answer.lock().expect("the answer") = answer;
    }

    /// The part of a policy that names the socket.
    pub fn table(&self) -> String {
        format!("[docker]\nsocket = {:?}\n", self.socket())
    }
}

/// A container that publishes this port on all addresses, in the form of the API.
pub fn container(name: &str, ports: impl IntoIterator<Item = u16>) -> String {
    let port = |port| {
        format!(
            r#"{{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":{port},"Type":"tcp"}},
            {{"IP":"::","PrivatePort":80,"PublicPort":{port},"Type":"tcp"}}"#
        )
    };
    let ports: Vec<String> = ports.into_iter().map(port).collect();
    format!(r#"{{"Names":["/{name}"],"Labels":{{}},"Ports":[{}]}}"#, ports.join(","))
}

fn serve(mut stream: &UnixStream, answer: &Mutex<ApiAnswer>) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().unwrap_or(Ok(String::new()))?;
    lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
    let first = answer.lock().expect("the answer").clone();
    let is_list = request.starts_with("GET /containers/json ");
    match &first {
        ApiAnswer::List(list) | ApiAnswer::NoEvents(list) if is_list => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", list.len() + 2);
            write!(stream, "{head}[{list}]")
        }
        ApiAnswer::Endless if is_list => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            loop {
                stream.write_all(&[b' '; 65_536])?;
            }
        }
        ApiAnswer::NoEvents(_) => {
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        }
        ApiAnswer::Silence => until_changed(answer, &first, stream, b""),
        _ => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            until_changed(answer, &first, stream, b"2\r\n{}\r\n")
        }
    }
}

/// Waits until another answer is wanted; then writes this.
fn until_changed(
    answer: &Mutex<ApiAnswer>,
    first: &ApiAnswer,
    mut stream: &UnixStream,
    event: &[u8],
) -> io::Result<()> {
    while *answer.lock().expect("the answer") == *first {
        thread::sleep(Duration::from_millis(10));
    }
    stream.write_all(event)
}
