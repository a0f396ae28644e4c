//! argv → one verb → exit status. Arrows point downwards only:
//!
//! | module | duty |
//! |---|---|
//! | `cli` | arguments, verbs, privileges |
//! | `watch` | the verb that does not end: policy files, signals, log, metrics |
//! | `apply` | what is reported of a policy that was applied |
//! | `warnings` | what the operator has to be warned of |
//! | `report` | what a person or a program reads |
//! | `logging` | standard error, with levels for the journal |
//! | the library | all the rest |

mod apply;
mod cli;
mod logging;
mod report;
mod warnings;
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
