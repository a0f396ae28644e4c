//! Docker's API as a server in the test speaks it, well or badly.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tempfile::TempDir;

use super::{ApiError, DockerApi, LIST_MAX};

/// More than any answer in these tests takes.
const AMPLE: Duration = Duration::from_secs(60);
/// For servers that never answer.
const SHORT: Duration = Duration::from_millis(200);

/// A socket whose connections `serve` answers after the headers of the request, one after the other.
fn server(
    serve: impl Fn(&str, &UnixStream) -> io::Result<()> + Send + 'static,
) -> (TempDir, DockerApi) {
    let (directory, path) = path();
    let listener = UnixListener::bind(&path).expect("a socket");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let _ = serve(&request, &stream);
        }
    });
    (directory, DockerApi::new(&path))
}

fn path() -> (TempDir, PathBuf) {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("docker.sock");
    (directory, path)
}

/// An API whose every answer is this text.
fn answering(answer: impl Into<Vec<u8>>) -> (TempDir, DockerApi) {
    let answer = answer.into();
    server(move |_, mut stream| stream.write_all(&answer))
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn containers_are_listed() {
    let list = r#"[{"Names": ["/web"], "Ports": []}]"#;
    let half = list.len() / 2;
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{half:x}\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        &list[..half],
        list.len() - half,
        &list[half..]
    );
    for answer in [ok(list), chunked] {
        let (_directory, api) = answering(answer);
        let found = api.containers(AMPLE).expect("containers");
        assert_eq!(found.iter().map(|it| &*it.name).collect::<Vec<_>>(), ["web"]);
    }
}

#[test]
fn only_what_is_needed_is_requested() {
    let (_directory, api) = server(|request, mut stream| {
        let body = if request == "GET /containers/json HTTP/1.1" { "[]" } else { "{}" };
        stream.write_all(ok(body).as_bytes())
    });
    assert!(api.containers(AMPLE).expect("a list").is_empty());
}

#[test]
fn an_api_that_does_not_answer_is_given_up() {
    let (_directory, path) = path();
    assert!(matches!(DockerApi::new(&path).containers(AMPLE), Err(ApiError::Io(_))));
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
    listener.bind(&SockAddr::unix(&path).expect("an address")).expect("to bind");
    listener.listen(1).expect("to listen");
    let api = DockerApi::new(&path);
    assert!(matches!(api.containers(SHORT), Err(ApiError::TimedOut)));
    // The queue of the listening socket, which nobody empties.
    let connect = |_| super::transport::open(&path, Duration::from_millis(1)).ok();
    let waiting: Vec<_> = (0..100).map_while(connect).collect();
    assert!(waiting.len() < 100);
    assert!(matches!(api.containers(SHORT), Err(ApiError::TimedOut)));
}

#[test]
fn an_answer_that_does_not_end_is_given_up() {
    let (_directory, api) = server(|_, mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[")?;
        loop {
            stream.write_all(b" ")?;
            thread::sleep(Duration::from_millis(10));
        }
    });
    assert!(matches!(api.containers(SHORT), Err(ApiError::TimedOut)));
    let (_directory, api) = server(|_, mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            stream.write_all(format!("100000\r\n{}\r\n", " ".repeat(1 << 20)).as_bytes())?;
        }
    });
    assert!(matches!(api.containers(AMPLE), Err(ApiError::TooLong)), "{LIST_MAX}");
    let (_directory, api) = server(|_, mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        loop {
            stream.write_all(format!("X: {}\r\n", "x".repeat(1000)).as_bytes())?;
        }
    });
    assert!(matches!(api.containers(AMPLE), Err(ApiError::TooLong | ApiError::Protocol(_))));
}

#[test]
fn other_answers_are_errors() {
    let refused = answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n[]");
    assert!(matches!(refused.1.containers(AMPLE), Err(ApiError::Status(403))));
    let elsewhere =
        "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 2\r\n\r\n[]";
    let answers = [elsewhere, "SSH-2.0-OpenSSH_9.2\r\n\r\n", "", "HTTP/1.1 200 OK\r\n\r\n"];
    for answer in answers.map(str::to_owned).into_iter().chain([ok("{}"), ok("[{}]"), ok("")]) {
        let (_directory, api) = answering(answer.clone());
        assert!(api.containers(AMPLE).is_err(), "{answer}");
    }
    let cut = ok(r#"[{"Names": ["/web"]}]"#);
    let (_directory, api) = answering(&cut[..cut.len() - 1]);
    assert!(api.containers(AMPLE).is_err());
}

#[test]
fn events_wake_until_the_stream_ends() {
    let (_directory, api) = server(|request, mut stream| {
        assert!(request.starts_with("GET /events?filters=%7B%22type%22"), "{request}");
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        stream.write_all(b"2\r\n{}\r\n")
    });
    let mut events = api.events(AMPLE).expect("events");
    events.wait().expect("an event");
    assert!(events.wait().is_err());
    let (_directory, api) = server(|_, mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        thread::park();
        Ok(())
    });
    let mut events = api.events(SHORT).expect("events");
    assert!(matches!(events.wait(), Err(ApiError::Ended)));
}
