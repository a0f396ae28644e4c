//! Starts the guardian: a process in a session of its own, which no signal of the terminal reaches.

use std::process::exit;

use anyhow::{Context, bail};
use fork::{Fork, fork, redirect_stdio, setsid, waitpid};

/// Runs a function in a new process that is no child of this one, with `/dev/null` as its standard
/// streams. The process ends with the function. The caller must have no other threads.
///
/// # Errors
/// If the process cannot be created.
pub fn detach(function: impl FnOnce()) -> anyhow::Result<()> {
    match fork().context("cannot start the guardian process")? {
        Fork::Parent(child) => {
            let status = waitpid(child).context("cannot start the guardian process")?;
            if status != 0 {
                bail!("cannot start the guardian process");
            }
            Ok(())
        }
        Fork::Child => exit(detached(function)),
    }
}

/// Continues as a process that is adopted by init, while this one ends at once with a status.
fn detached(function: impl FnOnce()) -> i32 {
    if setsid().is_err() {
        return 1;
    }
    match fork() {
        Ok(Fork::Parent(_)) => 0,
        Ok(Fork::Child) => {
            if redirect_stdio().is_ok() {
                function();
            }
            0
        }
        Err(_) => 1,
    }
}
