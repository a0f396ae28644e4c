//! A program that keeps its rules: it waits until it hears of something, and puts it right.

use std::os::fd::AsFd;

use anyhow::Result;
use dwnl::Engine;
use dwnl::engine::{Monitor, MonitorEvent};
use dwnl::model::Ruleset;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The program.
pub struct Keeper {
    monitor: Monitor,
    engine: Engine,
}

impl Keeper {
    /// Makes the kernel hold `desired`, in the namespace of the calling thread.
    pub fn new(desired: &Ruleset) -> Result<Keeper> {
        let mut monitor = Monitor::open()?;
        let mut engine = Engine::open()?;
        monitor.exclude(&engine)?;
        engine.apply(desired)?;
        Ok(Keeper { monitor, engine })
    }

    /// Waits until something is wrong and puts it right.
    pub fn repair(&mut self, desired: &Ruleset) -> Result<()> {
        loop {
            poll(&mut [PollFd::new(self.monitor.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
            let mut is_concerned = false;
            for notice in self.monitor.read()? {
                self.engine.observe(&notice);
                is_concerned |= match &notice {
                    MonitorEvent::Commit(commit) => commit.is_relevant(),
                    MonitorEvent::Overrun => true,
                };
            }
            if is_concerned && !self.engine.apply(desired)?.plan.is_empty() {
                return Ok(());
            }
        }
    }
}
