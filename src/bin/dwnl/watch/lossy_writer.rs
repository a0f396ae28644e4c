//! A writer that never waits for its reader: messages that cannot be written are dropped and counted.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::write;

/// Number of bytes that a writable stream accepts at once (pipe(7): `PIPE_BUF`; the journal's socket
/// accepts more).
const CHUNK: usize = 4096;

/// Standard output or standard error. The open file may be shared with other processes, so it must
/// not become non-blocking.
pub struct LossyWriter<S> {
    stream: S,
    /// The part of the last message that is not written yet.
    pending: Vec<u8>,
    /// The number of messages dropped since.
    dropped: u64,
}

impl<S: AsFd> LossyWriter<S> {
    /// Writes to `stream`.
    pub fn new(stream: S) -> LossyWriter<S> {
        LossyWriter { stream, pending: Vec::new(), dropped: 0 }
    }

    /// Writes a message, or drops it if the one before is not written completely.
    pub fn write(&mut self, message: Vec<u8>) {
        if self.pending.is_empty() {
            self.pending = message;
            self.resume();
        } else {
            self.dropped += 1;
        }
    }

    /// Continues with the last message.
    pub fn resume(&mut self) {
        while !self.pending.is_empty() && self.is_ready() {
            let chunk = &self.pending[..self.pending.len().min(CHUNK)];
            match write(&self.stream, chunk) {
                Ok(length) => drop(self.pending.drain(..length)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                Err(_) => self.drop_pending(),
            }
        }
    }

    /// The number of messages dropped since the last call, once the reader is ready again.
    pub fn take_dropped(&mut self) -> Option<u64> {
        let dropped = if self.pending.is_empty() { std::mem::take(&mut self.dropped) } else { 0 };
        (dropped > 0).then_some(dropped)
    }

    /// The stream to poll for writing before [`LossyWriter::resume`] can continue, if it is blocked.
    pub fn blocked(&self) -> Option<BorrowedFd<'_>> {
        (!self.pending.is_empty()).then(|| self.stream.as_fd())
    }

    fn is_ready(&self) -> bool {
        let mut stream = [PollFd::new(self.stream.as_fd(), PollFlags::POLLOUT)];
        poll(&mut stream, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// The reader is gone, so nothing needs to be reported.
    fn drop_pending(&mut self) {
        self.pending = Vec::new();
        self.dropped = 0;
    }
}

impl LossyWriter<io::Stdout> {
    /// Standard output.
    pub fn stdout() -> LossyWriter<io::Stdout> {
        LossyWriter::new(io::stdout())
    }
}

impl LossyWriter<io::Stderr> {
    /// Standard error.
    pub fn stderr() -> LossyWriter<io::Stderr> {
        LossyWriter::new(io::stderr())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use super::*;

    /// More than a pipe holds.
    const LONG: usize = 100_000;

    fn pipe() -> (LossyWriter<io::PipeWriter>, io::PipeReader) {
        let (reader, writer) = io::pipe().expect("a pipe");
        (LossyWriter::new(writer), reader)
    }

    fn read(reader: &mut io::PipeReader, length: usize) -> Vec<u8> {
        let mut read = vec![0; length];
        reader.read_exact(&mut read).expect("to read");
        read
    }

    #[test]
    fn messages_are_written_at_once() {
        let (mut writer, mut reader) = pipe();
        writer.write(b"one\n".to_vec());
        writer.write(b"two\n".to_vec());
        assert_eq!(read(&mut reader, 8), b"one\ntwo\n");
        assert!(writer.blocked().is_none() && writer.take_dropped().is_none());
    }

    #[test]
    fn messages_are_dropped_but_a_partial_one_is_completed() {
        let (mut writer, mut reader) = pipe();
        writer.write(vec![b'1'; LONG]);
        writer.write(vec![b'2'; LONG]);
        writer.write(vec![b'3'; LONG]);
        assert!(writer.blocked().is_some() && writer.take_dropped().is_none());
        let mut taken = 0;
        while writer.blocked().is_some() {
            assert!(read(&mut reader, CHUNK).iter().all(|byte| *byte == b'1'));
            taken += CHUNK;
            writer.resume();
        }
        assert_eq!((writer.take_dropped(), writer.take_dropped()), (Some(2), None));
        read(&mut reader, LONG - taken);
        writer.write(b"4".to_vec());
        assert_eq!(read(&mut reader, 1), b"4");
    }

    #[test]
    fn a_reader_that_is_gone_does_not_block() {
        let (mut writer, reader) = pipe();
        writer.write(vec![b'1'; LONG]);
        writer.write(vec![b'2'; LONG]);
        drop(reader);
        writer.resume();
        assert!(writer.blocked().is_none() && writer.take_dropped().is_none());
        let mut full =
            LossyWriter::new(File::options().write(true).open("/dev/full").expect("to open"));
        full.write(b"1".to_vec());
        assert!(full.blocked().is_none());
    }
}
