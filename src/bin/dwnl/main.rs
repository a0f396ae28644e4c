//! argv → one command → exit status. Modules depend only on those below them:
//!
//! | module | duty |
//! |---|---|
//! | `cli` | arguments, commands, capabilities |
//! | `watch` | the command that does not end: policy files, signals, log, metrics |
//! | `confirm` | the trial of a policy that has to be confirmed |
//! | `control` | the lock of a running `watch`, and requests to it |
//! | `by_hand` | changes of what is allowed and denied by hand |
//! | `doctor` | checks of the host, and the facts that they need |
//! | `apply` | the report of an applied policy |
//! | `preview` | the report of what applying a policy would change |
//! | `status` | what the status is made of |
//! | `lookup` | what a policy names and does not say: the addresses of names |
//! | `state` | the last valid policy and the one before it, and what was looked up last |
//! | `directory` | files that are replaced as a whole |
//! | `lookup` | what has to be looked up before a policy is complete |
//! | `warnings` | warnings for the operator |
//! | `report` | text for people and JSON for programs |
//! | `logging` | standard error, with levels for the journal |
//! | `wrap` | long lines on a terminal |
//! | the library | everything else |

mod apply;
mod by_hand;
mod cli;
mod confirm;
mod control;
mod directory;
mod doctor;
mod logging;
mod lookup;
mod mailbox;
mod preview;
mod report;
mod state;
mod status;
mod warnings;
mod watch;
mod wrap;

use std::process::ExitCode;
use std::time::Instant;

use cli::{Cli, Console};

fn main() -> ExitCode {
    let cli = Cli::from_argv();
    let started = Instant::now();
    let console = Console::new(&cli.options);
    cli::run(cli.verb, &console, started).unwrap_or_else(|error| console.fail(&error))
}
