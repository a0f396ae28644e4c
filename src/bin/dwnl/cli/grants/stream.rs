//! Lines from standard input. They take effect when a batch is full or the input pauses, so that a
//! program can keep the pipe open.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::read;

/// Maximum number of lines that take effect together.
const LINES_MAX: usize = 10_000;
/// Maximum length of a line, in bytes.
const LINE_MAX: usize = 4096;
/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Passes the lines of standard input, with their numbers from 1, to `take`, several at once. Empty lines
/// and what follows a `#` are left out.
///
/// # Errors
/// If the input cannot be read, and those of `take`.
pub fn lines(take: impl FnMut(Vec<(usize, String)>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    lines_of(io::stdin().as_fd(), take)
}

fn lines_of(
    input: BorrowedFd,
    mut take: impl FnMut(Vec<(usize, String)>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut splitter = Splitter::default();
    let mut chunk = vec![0; CHUNK];
    loop {
        let pending = splitter.lines.len();
        if pending >= LINES_MAX || (pending > 0 && !is_readable(input)?) {
            take(std::mem::take(&mut splitter.lines))?;
            continue;
        }
        let length = match read(input, &mut chunk) {
            Err(Errno::EINTR) => continue,
            read => read?,
        };
        if length == 0 {
            splitter.end();
            return take(splitter.lines);
        }
        splitter.push(&chunk[..length]);
    }
}

/// Whether there is more to read, or the input has ended.
fn is_readable(input: BorrowedFd) -> io::Result<bool> {
    let mut sources = [PollFd::new(input, PollFlags::POLLIN)];
    match poll(&mut sources, PollTimeout::ZERO) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Splits bytes into lines.
#[derive(Default)]
struct Splitter {
    lines: Vec<(usize, String)>,
    /// The beginning of the line that is not complete, at most one byte longer than a line may be.
    rest: Vec<u8>,
    /// The number of complete lines.
    number: usize,
}

impl Splitter {
    fn push(&mut self, bytes: &[u8]) {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        let first = pieces.next().unwrap_or_default();
        self.extend(first);
        for piece in pieces {
            self.end();
            self.extend(piece);
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = (LINE_MAX + 1).saturating_sub(self.rest.len());
        self.rest.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Ends a line. One that is too long stays too long for what it is to be read as.
    fn end(&mut self) {
        self.number += 1;
        let text = String::from_utf8_lossy(&self.rest);
        let text = text.split('#').next().unwrap_or_default().trim();
        if !text.is_empty() {
            self.lines.push((self.number, text.to_owned()));
        }
        self.rest.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn lines_are_taken_when_the_input_pauses_and_at_its_end() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let (taken, batches) = channel();
        let thread = std::thread::spawn(move || {
            lines_of(reader.as_fd(), |lines| Ok(taken.send(lines)?)).expect("success");
        });
        writer.write_all(b"a # first\n\n# none\n b").expect("to write");
        assert_eq!(batches.recv(), Ok(vec![(1, "a".to_owned())]));
        writer.write_all(b"c\nlast").expect("to write");
        assert_eq!(batches.recv(), Ok(vec![(4, "bc".to_owned())]));
        drop(writer);
        assert_eq!(batches.recv(), Ok(vec![(5, "last".to_owned())]));
        thread.join().expect("the thread");
    }

    #[test]
    fn a_long_line_takes_bounded_memory() {
        let mut splitter = Splitter::default();
        for _ in 0..100 {
            splitter.push(&[b'7'; CHUNK]);
        }
        assert!(splitter.rest.len() <= LINE_MAX + 1);
        splitter.push(b"\nnext\n");
        assert_eq!(splitter.lines[1], (2, "next".to_owned()));
    }
}
