//! The registers by which a rule's expressions pass values on.

use super::bits::Bits;
use crate::model::kernel::{Arithmetic, Register};

/// Length of all registers in bytes.
const LENGTH: usize = 64;
/// Length in bytes of the words by which registers are numbered.
const WORD: usize = 4;

pub struct Registers(Bits);

impl Registers {
    pub fn new() -> Registers {
        Registers(Bits::unknown(LENGTH))
    }

    /// Loads a value. The rest of its last word becomes 0, as in the kernel.
    pub fn put(&mut self, to: Register, bits: &Bits) {
        let offset = usize::from(to.0) * WORD;
        let padding = bits.len().next_multiple_of(WORD) - bits.len();
        self.0.put(offset, bits);
        self.0.put(offset + bits.len(), &Bits::known(&vec![0; padding]));
    }

    pub fn get(&self, from: Register, length: usize) -> Bits {
        self.0.slice(usize::from(from.0) * WORD, length)
    }

    pub fn compute(&mut self, from: Register, to: Register, length: usize, what: &Arithmetic) {
        let value = self.get(from, length.min(LENGTH));
        let result = match what {
            Arithmetic::Mask { mask, xor } => value.mask(mask, xor),
            Arithmetic::ByteOrder { size } => swapped(&value, *size),
            Arithmetic::ShiftLeft(bits) => shifted(&value, |number| number.checked_shl(*bits)),
            Arithmetic::ShiftRight(bits) => shifted(&value, |number| number.checked_shr(*bits)),
        };
        self.put(to, &result);
    }
}

/// Each number of `size` bytes in the other byte order, where the host's is not the network's.
fn swapped(value: &Bits, size: usize) -> Bits {
    if cfg!(target_endian = "big") {
        return value.clone();
    }
    let mut result = value.clone();
    for start in (0..value.len()).step_by(size) {
        let length = size.min(value.len() - start);
        for index in 0..length {
            result.put(start + index, &value.slice(start + length - 1 - index, 1));
        }
    }
    result
}

/// A shift of a number of four bytes; of a longer one the result is unknown.
fn shifted(value: &Bits, shift: impl Fn(u32) -> Option<u32>) -> Bits {
    match value.as_number().filter(|_| value.len() == WORD) {
        Some(number) => Bits::number(shift(number).unwrap_or(0)),
        None => Bits::unknown(value.len()),
    }
}
