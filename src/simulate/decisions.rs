//! Which way a run goes where a condition is not understood.

use crate::model::{ChainPath, KernelRule};

/// Where a run could have gone two ways.
#[derive(Clone, Debug)]
pub struct Fork {
    pub chain: ChainPath,
    pub rule: u64,
    pub text: String,
    /// What was not understood.
    pub reason: String,
    /// Number of steps before it.
    pub steps: usize,
}

/// The ways that a run is told to go, and where it could go two ways. Behind the last one that it
/// is told, no rule matches that may or may not.
#[derive(Debug, Default)]
pub struct Decisions {
    given: Vec<bool>,
    pub forks: Vec<Fork>,
}

impl Decisions {
    pub fn new(given: &[bool]) -> Decisions {
        Decisions { given: given.to_vec(), forks: Vec::new() }
    }

    /// Whether the rule matches in this run.
    pub fn next(
        &mut self,
        chain: &ChainPath,
        rule: &KernelRule,
        reason: &str,
        steps: usize,
    ) -> bool {
        let decision = self.given.get(self.forks.len()).copied().unwrap_or(false);
        self.forks.push(Fork {
            chain: chain.clone(),
            rule: rule.handle,
            text: rule.to_string(),
            reason: reason.to_owned(),
            steps,
        });
        decision
    }
}
