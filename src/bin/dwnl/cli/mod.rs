//! The command line: its arguments, the verbs, and the privileges that they keep.

mod args;
mod capabilities;
mod commands;
mod console;
mod normalize;
mod spinner;

pub use args::Cli;
pub use commands::run;
pub use console::Console;
