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
    /// policy by another one, use [`Engine::apply`], which never refuses a source that both policies allow.
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

    /// The transactions of a repair, in order. For benchmarks and tests.
    ///
    /// # Errors
    /// See [`Error`].
    #[doc(hidden)]
    pub fn repair_stages(&mut self, desired: &Ruleset) -> Result<Vec<Plan>, Error> {
        let (mut plan, desired, snapshot) = self.plan_for(desired)?;
        Ok(stages::divide(&mut plan, &desired, &snapshot))
    }

    /// The plan for a ruleset, with the resolved ruleset and what it was compared with.
    fn plan_for(&mut self, desired: &Ruleset) -> Result<(Plan, Ruleset, Snapshot), Error> {
        let snapshot = self.current_for(desired, true)?;
        let desired = resolve(desired, &snapshot)?;
        Ok((Plan::diff(&desired, &snapshot)?, desired, snapshot))
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

    /// Makes a plan and commits its stages. A conflict ends it; the stages before it stay.
    fn attempt(&mut self, engine: &mut Engine, attempts: u32) -> Result<Outcome, Error> {
        let (mut plan, desired, snapshot) = engine.plan_for(self.desired)?;
        let mut generation = plan.generation;
        let mut stages = stages::divide(&mut plan, &desired, &snapshot).into_iter().peekable();
        while let Some(mut stage) = stages.next() {
            match engine.commit(&stage) {
                Ok(committed) => generation = committed,
                Err(error) => {
                    // The outcome is the difference from what was there at first.
                    self.before = self.before.take().or(self.has_begun().then_some(snapshot));
                    return Err(error);
                }
            }
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
