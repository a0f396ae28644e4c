//! A minimal reconciler: it waits for changes by other programs and repairs them.

use std::os::fd::AsFd;

use anyhow::Result;
use dwnl::Engine;
use dwnl::engine::{Monitor, MonitorEvent};
use dwnl::model::Ruleset;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A monitor, and the engine that it excludes.
pub struct Reconciler {
    monitor: Monitor,
    engine: Engine,
}

impl Reconciler {
    /// Applies `desired` in the namespace of the calling thread.
    pub fn new(desired: &Ruleset) -> Result<Reconciler> {
        let mut monitor = Monitor::open()?;
        let mut engine = Engine::open()?;
        monitor.exclude(&engine)?;
        engine.apply(desired)?;
        Ok(Reconciler { monitor, engine })
    }

    /// Waits for a relevant change and repairs it.
    pub fn repair(&mut self, desired: &Ruleset) -> Result<()> {
        loop {
            poll(&mut [PollFd::new(self.monitor.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
            let mut is_relevant = false;
            for event in self.monitor.read()? {
                self.engine.observe(&event);
                is_relevant |= match &event {
                    MonitorEvent::Commit(commit) => commit.is_relevant(),
                    MonitorEvent::Overrun => true,
                };
            }
            if is_relevant && !self.engine.apply(desired)?.plan.is_empty() {
                return Ok(());
            }
        }
    }
}
