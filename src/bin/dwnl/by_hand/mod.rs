//! What is allowed and denied by hand: the words in which it is asked for, and the changes in the kernel and
//! in the state directory.

mod book;
mod ports;
mod target;
mod terms;

pub use book::Book;
pub use ports::{denials, ports_or_entries};
pub use target::{Target, ports_of, source_of};
pub use terms::{duration, note};
