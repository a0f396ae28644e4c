//! Puts the kernel's messages about traced packets together: which base chains a packet has passed, and
//! what became of it. Pure: the messages come from `engine`.

mod assembler;
mod chains;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod open;
mod packet;
#[cfg(test)]
mod tests;

pub(crate) use assembler::{PacketAssembler, ReadAt};
pub(crate) use chains::{CHAINS, FIRST, table_name};
pub use packet::{Fate, Step, TracedPacket, Visit};
