//! The bit of the connection mark that dwnl uses.

use std::fmt;

/// One bit of the 32-bit connection mark. The guard uses it; without the guard, large groups do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark(u32);

/// Why a number is not one bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MarkError {
    /// No bit is set.
    #[error("mark 0 has no bit set")]
    NoBit,
    /// Several bits are set.
    #[error("mark {mark:#x} has {} bits set", .mark.count_ones())]
    SeveralBits {
        /// The number.
        mark: u32,
    },
}

impl Mark {
    /// Bit 13. The lower half of the mark is not used by Calico (which uses the upper half),
    /// Tailscale (`0xff0000`), Kubernetes (`0x4000`, `0x8000`) or Cilium (`0x0f00`), and the bit is
    /// above the small numbers that Docker Swarm and strongSwan set-ups count up from.
    pub const DEFAULT: Mark = Mark(0x2000);

    /// The mark of this bit.
    ///
    /// # Errors
    /// [`MarkError`] unless exactly one bit is set.
    pub fn new(mark: u32) -> Result<Mark, MarkError> {
        match mark.count_ones() {
            0 => Err(MarkError::NoBit),
            1 => Ok(Mark(mark)),
            _ => Err(MarkError::SeveralBits { mark }),
        }
    }

    /// The mark as a number in which one bit is set.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl Default for Mark {
    fn default() -> Mark {
        Mark::DEFAULT
    }
}

impl TryFrom<u32> for Mark {
    type Error = MarkError;

    fn try_from(mark: u32) -> Result<Mark, MarkError> {
        Mark::new(mark)
    }
}

/// `0x2000`
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_exactly_one_bit() {
        assert_eq!(Mark::new(0), Err(MarkError::NoBit));
        assert_eq!(Mark::new(3), Err(MarkError::SeveralBits { mark: 3 }));
        assert_eq!(Mark::new(u32::MAX), Err(MarkError::SeveralBits { mark: u32::MAX }));
        for bit in 0..u32::BITS {
            assert_eq!(Mark::new(1 << bit).map(Mark::bits), Ok(1 << bit));
        }
    }
}
