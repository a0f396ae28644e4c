//! Repairs what another program has changed: the guard first, then everything else.

use std::time::{Duration, Instant};

use super::{ATTEMPTS_MAX, Engine, Error, Outcome, stages};
use crate::compile::resolve;
use crate::model::{Ruleset, Snapshot};
use crate::plan::{Change, Plan};

impl Engine {
    /// Makes the kernel hold `desired`, which was in force before, as soon as possible. The result is that
    /// of [`Engine::apply`], with the same retries, but where the guard's table is gone, or has to be
    /// changed together with rules in the nat tables, it takes up to three transactions:
    ///
    /// 1. the guard with its small sets. From here on, no source gets in that the policy does not allow.
    /// 2. the elements of its large sets. Until then the guard refuses the sources in them. Where such a
    ///    set denies sources, or where there are hundreds of rules, it refuses everyone until then.
    /// 3. the rules in the nat tables, for which the kernel may have to wait until it has freed others.
    ///
    /// Nobody gets in meanwhile whom the policy does not allow, and established flows pass. To replace a
    /// policy by another one, use [`Engine::apply`]: its one transaction never refuses a source that both
    /// policies allow.
    ///
    /// # Errors
    /// See [`Error`]. After the first of several transactions, [`Error::Incomplete`]: repeat the call.
    pub fn repair(&mut self, desired: &Ruleset) -> Result<Outcome, Error> {
        let epoch = self.set_cache.epoch();
        let mut repair = Repair::new(desired);
        let outcome = repair.run(self).map_err(|error| repair.failure(error))?;
        self.set_cache.store_ruleset(epoch, outcome.generation, desired);
        Ok(outcome)
    }
}

/// A repair, and what it has committed so far.
struct Repair<'a> {
    desired: &'a Ruleset,
    started: Instant,
    committed: Vec<Change>,
    /// What the kernel held before the first transaction.
    before: Option<Snapshot>,
    /// When the first of several transactions was committed.
    protected: Option<Duration>,
}

impl Repair<'_> {
    fn new(desired: &Ruleset) -> Repair<'_> {
        let started = Instant::now();
        Repair { desired, started, committed: Vec::new(), before: None, protected: None }
    }

    fn run(&mut self, engine: &mut Engine) -> Result<Outcome, Error> {
        for attempts in 1..=ATTEMPTS_MAX {
            match self.attempt(engine, attempts) {
                Err(Error::Conflict { .. }) => {}
                result => return result,
            }
        }
        Err(Error::Conflict { attempts: ATTEMPTS_MAX })
    }

    /// Commits the stages of a plan that is made now. A conflict ends it; those that are committed stay.
    fn attempt(&mut self, engine: &mut Engine, attempts: u32) -> Result<Outcome, Error> {
        let snapshot = engine.current_for(self.desired, true)?;
        let desired = resolve(self.desired, &snapshot)?;
        let mut plan = Plan::diff(&desired, &snapshot)?;
        let mut generation = plan.generation;
        let mut stages = stages::divide(std::mem::take(&mut plan.changes), &desired, &snapshot)
            .into_iter()
            .peekable();
        while let Some(changes) = stages.next() {
            let mut stage = Plan { generation, changes, ..Plan::default() };
            let committed = engine.commit(&stage);
            if let Err(error) = committed {
                // A later attempt reports the difference from what was there at first.
                self.before = self.before.take().or_else(|| self.has_begun().then_some(snapshot));
                return Err(error);
            }
            generation = committed?;
            self.committed.append(&mut stage.changes);
            if stages.peek().is_some() {
                self.protected.get_or_insert_with(|| self.started.elapsed());
            }
        }
        plan.changes = std::mem::take(&mut self.committed);
        let outcome = Outcome::new(plan, generation, &desired, snapshot, attempts);
        let outcome = Outcome { protected: self.protected, ..outcome };
        Ok(match &self.before {
            Some(before) => outcome.since(before, &desired),
            None => outcome,
        })
    }

    fn has_begun(&self) -> bool {
        !self.committed.is_empty()
    }

    fn failure(&self, error: Error) -> Error {
        match self.has_begun() {
            true => Error::Incomplete(Box::new(error)),
            false => error,
        }
    }
}
