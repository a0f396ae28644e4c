//! What the kernel sends back: messages in a datagram, and the errors among them.

use std::io;

use super::attribute::{Attributes, align};
use super::nfproto;
use super::uapi::{FAMILY_HEADER, MESSAGE_HEADER, error};
use crate::model::Family;

/// One message as it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// `nlmsg_type`.
    pub kind: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// The sequence number of the request that it answers.
    pub sequence: u32,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// An error that the kernel reports for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KernelError {
    /// The errno, positive; 0 is an acknowledgement.
    pub errno: i32,
    /// The offset in the message of the attribute that the error is about (extended ACK).
    pub offset: Option<u32>,
}

impl KernelError {
    /// The same as an `io::Error`.
    pub fn source(&self) -> io::Error {
        io::Error::from_raw_os_error(self.errno)
    }
}

impl<'a> Message<'a> {
    /// Whether it is of this message type of nf_tables (`NFT_MSG_*`).
    pub fn is_nft(&self, message: i32) -> bool {
        self.nft() == Some(message)
    }

    /// Its message type, if it is one of nf_tables (`NFT_MSG_*`).
    pub fn nft(&self) -> Option<i32> {
        let [subsystem, message] = self.kind.to_be_bytes().map(i32::from);
        (subsystem == libc::NFNL_SUBSYS_NFTABLES).then_some(message)
    }

    /// The family of an nf_tables message, if dwnl works in it: `nfgen_family` of `struct nfgenmsg`.
    pub fn family(&self) -> Option<Family> {
        let number = self.payload.first()?;
        nfproto::family(*number)
    }

    /// Whether it ends a dump.
    pub fn is_done(&self) -> bool {
        i32::from(self.kind) == libc::NLMSG_DONE
    }

    /// Whether a change has interrupted the dump that it is part of.
    pub fn is_interrupted(&self) -> bool {
        i32::from(self.flags) & libc::NLM_F_DUMP_INTR != 0
    }

    /// The low half of the generation at which an nf_tables message was dumped: `res_id` of
    /// `struct nfgenmsg`.
    pub fn generation(&self) -> Option<u16> {
        let [_, _, high, low] = *self.payload.first_chunk::<FAMILY_HEADER>()?;
        Some(u16::from_be_bytes([high, low]))
    }

    /// The attributes of an nf_tables message.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.payload.get(FAMILY_HEADER..).unwrap_or_default())
    }

    /// The error or acknowledgement that it carries: `NLMSG_ERROR`, or the failure that ends a
    /// dump.
    pub fn error(&self) -> Option<KernelError> {
        let is_error = i32::from(self.kind) == libc::NLMSG_ERROR;
        if !is_error && !self.is_done() {
            return None;
        }
        let errno = self.payload.first_chunk::<4>().map(|bytes| i32::from_ne_bytes(*bytes));
        let errno = errno.unwrap_or(0).checked_neg().unwrap_or(libc::EPROTO);
        Some(KernelError { errno, offset: is_error.then(|| self.error_offset()).flatten() })
    }

    /// The extended ACK behind `struct nlmsgerr`: error, header of the request, its payload
    /// unless it was left out (`NLM_F_CAPPED`), attributes.
    fn error_offset(&self) -> Option<u32> {
        if i32::from(self.flags) & libc::NLM_F_ACK_TLVS == 0 {
            return None;
        }
        let echoed = if i32::from(self.flags) & libc::NLM_F_CAPPED != 0 {
            MESSAGE_HEADER
        } else {
            let length = self.payload.get(4..8)?.try_into().ok()?;
            align(u32::from_ne_bytes(length) as usize)
        };
        let attributes = Attributes::new(self.payload.get(4 + echoed..)?);
        let offset = attributes.find(error::OFFSET)?;
        Some(u32::from_ne_bytes(offset.payload.try_into().ok()?))
    }
}

/// An iterator over the messages of a datagram. It ends at the first truncated one.
#[derive(Clone, Debug)]
pub(crate) struct Messages<'a>(&'a [u8]);

impl<'a> Messages<'a> {
    pub fn new(datagram: &'a [u8]) -> Messages<'a> {
        Messages(datagram)
    }

    /// Whether nothing is left, not even a truncated message.
    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let (header, _) = self.0.split_first_chunk::<MESSAGE_HEADER>()?;
        let [a, b, c, d, kind_0, kind_1, flags_0, flags_1, e, f, g, h, ..] = *header;
        let length = u32::from_ne_bytes([a, b, c, d]) as usize;
        let payload = self.0.get(MESSAGE_HEADER..length)?;
        self.0 = self.0.get(align(length)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes([kind_0, kind_1]),
            flags: u16::from_ne_bytes([flags_0, flags_1]),
            sequence: u32::from_ne_bytes([e, f, g, h]),
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::attribute::put;
    use super::*;
    use proptest::prelude::*;

    fn error_message(flags: i32, rest: &[u8]) -> Vec<u8> {
        let mut payload = (-libc::ENOENT).to_ne_bytes().to_vec();
        payload.extend_from_slice(rest);
        let mut bytes = ((MESSAGE_HEADER + payload.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend_from_slice(&(libc::NLMSG_ERROR as u16).to_ne_bytes());
        bytes.extend_from_slice(&(flags as u16).to_ne_bytes());
        bytes.extend_from_slice(&7u32.to_ne_bytes());
        bytes.extend_from_slice(&0u32.to_ne_bytes());
        bytes.extend_from_slice(&payload);
        bytes
    }

    #[test]
    fn the_offset_of_an_error_is_found_behind_the_echoed_request() {
        let mut request = 24u32.to_ne_bytes().to_vec();
        request.resize(16, 0);
        let mut whole = request.clone();
        whole.resize(24, 0xaa);
        for (flags, mut rest) in
            [(libc::NLM_F_CAPPED | libc::NLM_F_ACK_TLVS, request), (libc::NLM_F_ACK_TLVS, whole)]
        {
            put(&mut rest, error::OFFSET, &52u32.to_ne_bytes());
            let bytes = error_message(flags, &rest);
            let message = Messages::new(&bytes).next().expect("a message");
            assert_eq!(message.sequence, 7);
            let expected = KernelError { errno: libc::ENOENT, offset: Some(52) };
            assert_eq!(message.error(), Some(expected));
        }
    }

    proptest! {
        #[test]
        fn any_datagram_is_read_without_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 0..128),
            length in 0u32..64,
        ) {
            if let Some(start) = bytes.first_chunk_mut::<4>() {
                *start = length.to_ne_bytes();
            }
            for message in Messages::new(&bytes) {
                let _ = (message.error(), message.generation(), message.attributes().count());
            }
        }
    }
}
