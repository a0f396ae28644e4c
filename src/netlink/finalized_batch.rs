//! A batch that is ready to be sent, and its messages by their sequence numbers.

/// The sequence number of BEGIN. That of the n-th message (from 0) is n + 1 higher.
pub const BEGIN_SEQUENCE: u32 = 1;

/// A message of the batch.
pub(super) struct Sent {
    /// The offset at which it begins.
    pub start: usize,
    /// The change that it is part of; `None` for BEGIN and END.
    pub change: Option<usize>,
}

/// A batch that is ready to be sent.
pub(crate) struct FinalizedBatch {
    pub(super) bytes: Vec<u8>,
    pub(super) messages: Vec<Sent>,
}

impl FinalizedBatch {
    /// The datagram.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether an answer with this sequence number is for a message of this batch.
    pub fn has(&self, sequence: u32) -> bool {
        index(sequence).is_some_and(|index| index < self.messages.len())
    }

    /// The index of the change that the message with this sequence number is part of; `None` for
    /// BEGIN, END and numbers that are not of this batch.
    pub fn change_of(&self, sequence: u32) -> Option<usize> {
        self.messages.get(index(sequence)?)?.change
    }

    /// The message with this sequence number, with its header.
    pub fn message(&self, sequence: u32) -> Option<&[u8]> {
        let index = index(sequence)?;
        let start = self.messages.get(index)?.start;
        let end = self.messages.get(index + 1).map_or(self.bytes.len(), |next| next.start);
        self.bytes.get(start..end)
    }
}

/// The position in the batch of the message with this sequence number.
fn index(sequence: u32) -> Option<usize> {
    Some(sequence.checked_sub(BEGIN_SEQUENCE)? as usize)
}
