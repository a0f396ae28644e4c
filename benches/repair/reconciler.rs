//! A minimal reconciler: it waits for changes by other programs and repairs them.

use std::time::Instant;

use anyhow::Result;
use dwnl::Engine;
use dwnl::engine::{Monitor, MonitorEvent};
use dwnl::model::Ruleset;

use crate::support::RepairTime;

/// An engine, and the monitor that it has subscribed.
pub struct Reconciler {
    monitor: Monitor,
    engine: Engine,
}

impl Reconciler {
    /// Applies `desired` in the namespace of the calling thread.
    pub fn new(desired: &Ruleset) -> Result<Reconciler> {
        let mut engine = Engine::open()?;
        let monitor = engine.subscribe()?;
        engine.apply(desired)?;
        Ok(Reconciler { monitor, engine })
    }

    /// Waits for a relevant change and repairs it. Returns the times since `start`.
    pub fn repair(&mut self, desired: &Ruleset, start: Instant) -> Result<RepairTime> {
        loop {
            let is_relevant = self.monitor.wait(None)?.iter().any(MonitorEvent::is_relevant);
            if !is_relevant {
                continue;
            }
            let begun = start.elapsed();
            let outcome = self.engine.repair(desired)?;
            if !outcome.plan.is_empty() {
                let complete = start.elapsed();
                let protected = outcome.protected.map_or(complete, |it| begun + it);
                return Ok(RepairTime { protected, complete });
            }
        }
    }
}
