//! What becomes of the first packet of a new flow: the way through the hooks and chains of every
//! program, as the kernel would take it, computed from a ruleset without touching the kernel.
//!
//! Where a rule has a condition that dwnl does not understand, both ways are followed. If they end
//! alike, the outcome is certain; if not, the outcome names the rule.
//!
//! Not simulated: chains of the families `netdev`, `bridge` and `arp`, the hook `ingress`,
//! iptables-legacy, IPsec, and what connection tracking itself drops.

mod bits;
mod chain;
mod clock;
mod decisions;
mod effect;
mod host;
mod load;
mod lookup;
mod nat;
mod packet;
mod probe;
mod registers;
mod rule;
mod run;
mod xt;

use crate::model::KernelRuleset;
use decisions::{Decisions, Fork};
use packet::Packet;
use run::Run;

pub use host::{HostLink, HostSockets, HostView, Route, RouteQuery};
pub use probe::{Doubt, Effect, Outcome, Probe, Simulation, Step};

/// Maximum number of ways that are followed; few where many inputs have to be tried.
const RUNS_MAX: u32 = if cfg!(fuzzing) { 8 } else { 1024 };

/// Simulates the first packet of a new flow.
pub fn simulate(ruleset: &KernelRuleset, host: &HostView, probe: &Probe) -> Simulation {
    Explorer { ruleset, host, probe, runs: 0 }.explore(&mut Vec::new())
}

struct Explorer<'a> {
    ruleset: &'a KernelRuleset,
    host: &'a HostView<'a>,
    probe: &'a Probe,
    runs: u32,
}

impl Explorer<'_> {
    /// What happens if the first forks are taken as given, whichever way the others go.
    fn explore(&mut self, given: &mut Vec<bool>) -> Simulation {
        let (simulation, forks) = self.run(given);
        let Some(fork) = forks.into_iter().nth(given.len()) else { return simulation };
        if self.runs >= RUNS_MAX {
            return doubtful(simulation, fork, None);
        }
        let mut alternative = |matches| {
            given.push(matches);
            let simulation = self.explore(given);
            given.pop();
            simulation
        };
        let (matches, otherwise) = (alternative(true), alternative(false));
        if matches.outcome.is_same(&otherwise.outcome) {
            return otherwise;
        }
        doubtful(simulation, fork, Some((Box::new(matches), Box::new(otherwise))))
    }

    fn run(&mut self, given: &[bool]) -> (Simulation, Vec<Fork>) {
        self.runs += 1;
        let mut run = Run {
            ruleset: self.ruleset,
            host: self.host,
            packet: Packet::new(self.probe),
            steps: Vec::new(),
            decisions: Decisions::new(given),
            updated: Vec::new(),
            rules: 0,
        };
        let outcome = run.outcome();
        (Simulation { steps: run.steps, outcome }, run.decisions.forks)
    }
}

/// A simulation up to a rule that may or may not match.
fn doubtful(
    mut simulation: Simulation,
    fork: Fork,
    alternatives: Option<(Box<Simulation>, Box<Simulation>)>,
) -> Simulation {
    simulation.steps.truncate(fork.steps);
    simulation.outcome = Outcome::Unknown(Box::new(Doubt {
        chain: Some(fork.chain),
        rule: Some(fork.rule),
        text: fork.text,
        reason: fork.reason,
        alternatives,
    }));
    simulation
}
