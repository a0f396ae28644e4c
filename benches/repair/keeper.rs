//! A program that keeps its rules: it waits until it hears of something, and puts it right.

use std::os::fd::AsFd;

use anyhow::Result;
use dwnl::Engine;
use dwnl::engine::{Monitor, Notice};
use dwnl::model::Ruleset;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The program.
pub struct Keeper {
    monitor: Monitor,
    engine: Engine,
}

impl Keeper {
    /// Makes the kernel hold `wanted`, in the namespace of the calling thread.
    pub fn new(wanted: &Ruleset) -> Result<Keeper> {
        let mut monitor = Monitor::open()?;
        let mut engine = Engine::open()?;
        monitor.ignore(&engine)?;
        engine.apply(wanted)?;
        Ok(Keeper { monitor, engine })
    }

    /// Waits until something is wrong and puts it right.
    pub fn repair(&mut self, wanted: &Ruleset) -> Result<()> {
        loop {
            poll(&mut [PollFd::new(self.monitor.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
            let mut is_concerned = false;
            for notice in self.monitor.read()? {
                self.engine.heed(&notice);
                is_concerned |= match &notice {
                    Notice::Commit(commit) => commit.concerns_us(),
                    Notice::Lost => true,
                };
            }
            if is_concerned && !self.engine.apply(wanted)?.plan.is_empty() {
                return Ok(());
            }
        }
    }
}
