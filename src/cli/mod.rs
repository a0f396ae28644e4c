//! The command line: its arguments, the verbs, and the privileges that they keep.

mod args;
mod console;
mod privileges;
mod progress;
mod settle;
mod verbs;

pub use args::Cli;
pub use console::Console;
pub use verbs::run;
