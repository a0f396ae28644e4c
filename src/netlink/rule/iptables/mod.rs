//! Rules of iptables, in the form and order of iptables 1.8.7, which every version from 1.8.7 to
//! 1.8.13 reads alike: interface, protocol, source, destination, extensions, counter, verdict.

mod decode;
mod encode;
mod xt;

pub use decode::decode;
pub use encode::add_expressions;
pub use xt::{decode as decode_match, is_ongoing};
