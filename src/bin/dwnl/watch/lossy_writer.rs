//! A stream that is written to without ever waiting for who reads it: what is not taken is given up, and
//! counted.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::write;

/// A stream that can be written to takes at least so much at once (pipe(7): `PIPE_BUF`; the socket of
/// the journal takes more).
const CHUNK: usize = 4096;

/// Standard output or standard error. Whoever reads it may stand still, and shares the open file with
/// others, who expect that writing waits.
pub struct LossyWriter<S> {
    stream: S,
    /// What has not been taken of the last text.
    rest: Vec<u8>,
    /// How many texts have been given up since.
    given_up: u64,
}

impl<S: AsFd> LossyWriter<S> {
    /// Writes to `stream`.
    pub fn new(stream: S) -> LossyWriter<S> {
        LossyWriter { stream, rest: Vec::new(), given_up: 0 }
    }

    /// Writes a text, or gives it up if the one before has not been taken as a whole.
    pub fn write(&mut self, text: Vec<u8>) {
        if self.rest.is_empty() {
            self.rest = text;
            self.resume();
        } else {
            self.given_up += 1;
        }
    }

    /// Goes on with the last text.
    pub fn resume(&mut self) {
        while !self.rest.is_empty() && self.is_ready() {
            let portion = &self.rest[..self.rest.len().min(CHUNK)];
            match write(&self.stream, portion) {
                Ok(length) => drop(self.rest.drain(..length)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                Err(_) => self.drop_pending(),
            }
        }
    }

    /// How many texts were given up, if somebody reads again and has not been told.
    pub fn take_dropped(&mut self) -> Option<u64> {
        let given_up = if self.rest.is_empty() { std::mem::take(&mut self.given_up) } else { 0 };
        (given_up > 0).then_some(given_up)
    }

    /// What has to become ready for writing before [`LossyWriter::resume`] helps, if anything.
    pub fn blocked(&self) -> Option<BorrowedFd<'_>> {
        (!self.rest.is_empty()).then(|| self.stream.as_fd())
    }

    fn is_ready(&self) -> bool {
        let mut stream = [PollFd::new(self.stream.as_fd(), PollFlags::POLLOUT)];
        poll(&mut stream, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Nobody reads it any more, nor ever will, and nobody need be told.
    fn drop_pending(&mut self) {
        self.rest = Vec::new();
        self.given_up = 0;
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

    fn outlet() -> (LossyWriter<io::PipeWriter>, io::PipeReader) {
        let (reader, writer) = io::pipe().expect("a pipe");
        (LossyWriter::new(writer), reader)
    }

    fn read(reader: &mut io::PipeReader, length: usize) -> Vec<u8> {
        let mut read = vec![0; length];
        reader.read_exact(&mut read).expect("to read");
        read
    }

    #[test]
    fn what_is_taken_is_written_at_once() {
        let (mut outlet, mut reader) = outlet();
        outlet.write(b"one\n".to_vec());
        outlet.write(b"two\n".to_vec());
        assert_eq!(read(&mut reader, 8), b"one\ntwo\n");
        assert!(outlet.blocked().is_none() && outlet.take_dropped().is_none());
    }

    #[test]
    fn what_is_not_taken_is_given_up_and_what_was_begun_is_finished() {
        let (mut outlet, mut reader) = outlet();
        outlet.write(vec![b'1'; LONG]);
        outlet.write(vec![b'2'; LONG]);
        outlet.write(vec![b'3'; LONG]);
        assert!(outlet.blocked().is_some() && outlet.take_dropped().is_none());
        let mut taken = 0;
        while outlet.blocked().is_some() {
            assert!(read(&mut reader, CHUNK).iter().all(|byte| *byte == b'1'));
            taken += CHUNK;
            outlet.resume();
        }
        assert_eq!((outlet.take_dropped(), outlet.take_dropped()), (Some(2), None));
        read(&mut reader, LONG - taken);
        outlet.write(b"4".to_vec());
        assert_eq!(read(&mut reader, 1), b"4");
    }

    #[test]
    fn nobody_is_waited_for_who_has_gone() {
        let (mut outlet, reader) = outlet();
        outlet.write(vec![b'1'; LONG]);
        outlet.write(vec![b'2'; LONG]);
        drop(reader);
        outlet.resume();
        assert!(outlet.blocked().is_none() && outlet.take_dropped().is_none());
        let mut full =
            LossyWriter::new(File::options().write(true).open("/dev/full").expect("to open"));
        full.write(b"1".to_vec());
        assert!(full.blocked().is_none());
    }
}
