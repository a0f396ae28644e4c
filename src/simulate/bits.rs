//! Values of which not every bit may be known.

use std::cmp::Ordering;

use crate::model::kernel::Comparison;

/// The answer to a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
    Maybe,
}

impl Answer {
    /// The opposite, if `negated`.
    pub fn negate_if(self, negated: bool) -> Answer {
        match self {
            Answer::Yes if negated => Answer::No,
            Answer::No if negated => Answer::Yes,
            _ => self,
        }
    }

    /// Whether both hold.
    pub fn and(self, other: Answer) -> Answer {
        match (self, other) {
            (Answer::No, _) | (_, Answer::No) => Answer::No,
            (Answer::Yes, Answer::Yes) => Answer::Yes,
            _ => Answer::Maybe,
        }
    }

    /// Whether one of them holds.
    pub fn or(self, other: Answer) -> Answer {
        self.negate_if(true).and(other.negate_if(true)).negate_if(true)
    }
}

impl From<bool> for Answer {
    fn from(holds: bool) -> Answer {
        if holds { Answer::Yes } else { Answer::No }
    }
}

/// Bytes, and which of their bits are known. Bits that are not known are 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits {
    value: Vec<u8>,
    known: Vec<u8>,
}

impl Bits {
    /// Bytes all of which are known.
    pub fn known(value: &[u8]) -> Bits {
        Bits { value: value.to_vec(), known: vec![0xff; value.len()] }
    }

    /// Bytes of which nothing is known.
    pub fn unknown(length: usize) -> Bits {
        Bits { value: vec![0; length], known: vec![0; length] }
    }

    /// A number in the host's order.
    pub fn number(value: u32) -> Bits {
        Bits::known(&value.to_ne_bytes())
    }

    pub fn len(&self) -> usize {
        self.value.len()
    }

    /// The bytes, if all of them are known.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.known.iter().all(|byte| *byte == 0xff).then_some(&self.value)
    }

    /// A number in the host's order, if it is known.
    pub fn as_number(&self) -> Option<u32> {
        Some(u32::from_ne_bytes(self.bytes()?.get(..4)?.try_into().ok()?))
    }

    /// Some of the bytes; what is behind the end is unknown.
    pub fn slice(&self, offset: usize, length: usize) -> Bits {
        let take = |bytes: &[u8]| {
            let byte = |index| bytes.get(index).copied().unwrap_or(0);
            (offset..offset.saturating_add(length)).map(byte).collect()
        };
        Bits { value: take(&self.value), known: take(&self.known) }
    }

    /// Replaces some of the bytes.
    pub fn put(&mut self, offset: usize, bits: &Bits) {
        let bytes = self.value.iter_mut().zip(&mut self.known).skip(offset);
        for ((value, known), (new, new_known)) in bytes.zip(bits.value.iter().zip(&bits.known)) {
            (*value, *known) = (*new, *new_known);
        }
    }

    /// `VALUE & mask ^ xor`; a bit that is masked is known to be 0 before it is flipped.
    pub fn mask(&self, mask: &[u8], xor: &[u8]) -> Bits {
        let mut masked = self.clone();
        let bytes = masked.value.iter_mut().zip(&mut masked.known);
        for ((value, known), (mask, xor)) in bytes.zip(mask.iter().zip(xor)) {
            *known |= !mask;
            *value = (*value & mask ^ xor) & *known;
        }
        masked
    }

    /// `(VALUE & ~mask) ^ flip`, of a number in the host's order.
    pub fn set_bits(&self, mask: u32, flip: u32) -> Bits {
        self.mask(&(!mask).to_ne_bytes(), &flip.to_ne_bytes())
    }

    /// The exclusive or of two values.
    pub fn xor(&self, other: &Bits) -> Bits {
        let both = |a: &[u8], b: &[u8], combine: fn(u8, u8) -> u8| -> Vec<u8> {
            a.iter().zip(b).map(|(a, b)| combine(*a, *b)).collect()
        };
        let known = both(&self.known, &other.known, |a, b| a & b);
        let value = both(&self.value, &other.value, |a, b| a ^ b);
        Bits { value: both(&value, &known, |a, b| a & b), known }
    }

    /// Whether a comparison with these bytes holds, of numbers in the network's order.
    pub fn compare(&self, comparison: Comparison, with: &[u8]) -> Answer {
        let equal = self.equals(with);
        match comparison {
            Comparison::Equal => equal,
            Comparison::NotEqual => equal.negate_if(true),
            Comparison::Less => self.is_below(with, Ordering::Less),
            Comparison::LessOrEqual => self.is_below(with, Ordering::Equal),
            Comparison::Greater => self.is_below(with, Ordering::Equal).negate_if(true),
            Comparison::GreaterOrEqual => self.is_below(with, Ordering::Less).negate_if(true),
        }
    }

    /// Whether it lies between these bytes.
    pub fn is_within(&self, first: &[u8], last: &[u8]) -> Answer {
        self.compare(Comparison::GreaterOrEqual, first)
            .and(self.compare(Comparison::LessOrEqual, last))
    }

    fn equals(&self, with: &[u8]) -> Answer {
        let bits = self.value.iter().zip(&self.known).zip(with);
        if bits.clone().any(|((value, known), with)| (value ^ with) & known != 0) {
            Answer::No
        } else if bits.clone().all(|((_, known), _)| *known == 0xff) {
            Answer::Yes
        } else {
            Answer::Maybe
        }
    }

    /// Whether it compares at most as `limit` with these bytes: less, or less or equal.
    fn is_below(&self, with: &[u8], limit: Ordering) -> Answer {
        let highest: Vec<u8> =
            self.value.iter().zip(&self.known).map(|(value, known)| value | !known).collect();
        let length = with.len().min(self.len());
        let below = |bytes: &[u8]| bytes[..length].cmp(&with[..length]) <= limit;
        match (below(&self.value), below(&highest)) {
            (true, true) => Answer::Yes,
            (false, false) => Answer::No,
            _ => Answer::Maybe,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Comparison::{Equal, Greater, Less, NotEqual};

    #[test]
    fn known_bits_decide_where_they_can() {
        let unknown = Bits::unknown(2);
        let low = unknown.mask(&[0, 0x0f], &[0, 0]);
        assert_eq!(unknown.compare(Equal, &[1, 2]), Answer::Maybe);
        assert_eq!(low.compare(Equal, &[1, 2]), Answer::No);
        assert_eq!(low.compare(NotEqual, &[0, 2]), Answer::Maybe);
        assert_eq!(low.compare(Less, &[0, 0x10]), Answer::Yes);
        assert_eq!(low.compare(Greater, &[0, 0x0f]), Answer::No);
        assert_eq!(low.is_within(&[0, 1], &[0, 3]), Answer::Maybe);
        assert_eq!(Bits::known(&[0, 2]).is_within(&[0, 1], &[0, 3]), Answer::Yes);
    }

    #[test]
    fn bits_of_a_mark_are_set() {
        let mark = Bits::number(0).set_bits(0xff, 0x12);
        assert_eq!(mark.as_number(), Some(0x12));
        assert_eq!(mark.set_bits(0, 0x100).as_number(), Some(0x112));
        assert_eq!(Bits::unknown(4).set_bits(u32::MAX, 7).as_number(), Some(7));
    }
}
