//! argv → one verb → exit status.

mod applied;
mod cli;
mod report;
mod stderr;
mod watch;

use std::process::ExitCode;
use std::time::Instant;

use cli::{Cli, Console};

fn main() -> ExitCode {
    let cli = Cli::from_argv();
    let started = Instant::now();
    let console = Console::new(&cli.options);
    cli::run(cli.verb, &console, started).unwrap_or_else(|error| console.fail(&error))
}
