//! Data that are compressed by gzip: one member or several, as when files are joined.

use std::io::{self, BufRead, ErrorKind, Read};

use flate2::bufread::GzDecoder;

/// Maximum number of members. Each costs time, even if it is empty.
const MEMBERS_MAX: usize = 4096;

/// The data of all members, decompressed.
pub(super) struct Members<R> {
    /// `None` after the last one.
    member: Option<GzDecoder<R>>,
    count: usize,
}

impl<R: BufRead> Members<R> {
    /// The data of the members in `input`.
    pub fn new(input: R) -> Members<R> {
        Members { member: Some(GzDecoder::new(input)), count: 1 }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let Some(mut input) = self.member.take().map(GzDecoder::into_inner) else { break };
            if input.fill_buf()?.is_empty() {
                break;
            }
            if self.count == MEMBERS_MAX {
                return Err(io::Error::new(ErrorKind::InvalidData, "too many members"));
            }
            self.count += 1;
            self.member = Some(GzDecoder::new(input));
        }
        Ok(0)
    }
}
