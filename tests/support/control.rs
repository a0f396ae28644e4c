//! A client of the control socket of `dwnl watch`.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// Maximum time until an answer, far longer than any takes.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection.
pub struct ControlClient {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
}

impl ControlClient {
    /// Connects to the socket at this path.
    #[track_caller]
    pub fn connect(socket: &Path) -> ControlClient {
        let stream = UnixStream::connect(socket).expect("a listener");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out");
        let lines = BufReader::new(stream.try_clone().expect("a descriptor"));
        ControlClient { stream, lines }
    }

    /// Sends bytes. The watch may have closed the connection.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The next line; `None` at the end of the connection.
    #[track_caller]
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// The answer to a request, as a line. Events before it are left out.
    #[track_caller]
    pub fn ask_line(&mut self, request: &str) -> String {
        self.send(format!("{request}\n").as_bytes());
        loop {
            let line = self.line().unwrap_or_else(|| panic!("no answer to {request}"));
            if !line.contains("\"event\":") {
                return line;
            }
        }
    }

    /// The answer to a request.
    #[track_caller]
    pub fn ask(&mut self, request: &str) -> Value {
        let line = self.ask_line(request);
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Waits for an event of this name.
    #[track_caller]
    pub fn event(&mut self, name: &str) -> Value {
        loop {
            let line = self.line().unwrap_or_else(|| panic!("no event {name}"));
            let value: Value = serde_json::from_str(&line).expect("JSON");
            if value["event"] == name {
                return value;
            }
        }
    }
}
