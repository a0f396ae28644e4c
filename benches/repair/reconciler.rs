//! A minimal reconciler: it waits for changes by other programs and repairs them.

use anyhow::Result;
use dwnl::Engine;
use dwnl::engine::{Monitor, MonitorEvent};
use dwnl::model::Ruleset;

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

    /// Waits for a relevant change and repairs it.
    pub fn repair(&mut self, desired: &Ruleset) -> Result<()> {
        loop {
            let is_relevant = self.monitor.wait(None)?.iter().any(MonitorEvent::is_relevant);
            if is_relevant && !self.engine.apply(desired)?.plan.is_empty() {
                return Ok(());
            }
        }
    }
}
