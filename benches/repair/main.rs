//! The time that the library takes to repair a change by another program: from the return of the
//! disturbing commit to the return of the commit that puts the guard back, and to that of the last one.
//!
//! As root, `cargo bench --bench repair` writes `docs/benchmarks/repair.md`. With `-- --quick` it
//! measures a small policy in a few rounds, as a test, and writes to the target directory.

mod disturbance;
mod reconciler;
mod report;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use dwnl::model::Ruleset;
use dwnl::{Engine, Plan, Policy, compile};

use crate::disturbance::Disturbance;
use crate::reconciler::Reconciler;
use crate::report::{Figures, Report};
use crate::support::{Namespace, RepairTime, RepairTimes, Sending, settle};

/// The extent of the measurements: sizes of the policy, each with the number of rounds.
const FULL: [(usize, usize); 2] = [(10, 101), (100_000, 31)];
const QUICK: [(usize, usize); 2] = [(10, 5), (1_000, 3)];

fn main() -> Result<()> {
    let is_full = support::is_full()?;
    let efforts = if is_full { FULL } else { QUICK };
    let mut figures = Figures::default();
    for (size, rounds) in efforts {
        measure(size, rounds, &mut figures)?;
    }
    let sizes = efforts.map(|(size, _)| size);
    let report = Report { figures, sizes, machine: support::describe()?, is_full };
    support::write("repair.md", &report, is_full)
}

/// Measures all disturbances of a policy with `size` sources.
fn measure(size: usize, rounds: usize, figures: &mut Figures) -> Result<()> {
    let policy = support::policy(size);
    let desired = compile(&Policy::parse(&policy, "policy", Path::new(""))?);
    let mut model = Site::new(&desired)?;
    let mut floor = Site::new(&desired)?;
    let mut site = Site::new(&desired)?;
    for disturbance in Disturbance::ALL {
        eprintln!("{size} sources: {disturbance}");
        let floors = floors(disturbance, rounds, &desired, &mut model, &mut floor)?;
        let repairs = repairs(disturbance, rounds, &desired, &mut site)?;
        figures.insert((disturbance, size), (RepairTimes::of(&repairs), RepairTimes::of(&floors)));
    }
    Ok(())
}

/// The kernel's own time for the repairs. While a process listens, in any namespace, the kernel
/// builds a message for everything that is committed; here none listens.
fn floors(
    disturbance: Disturbance,
    rounds: usize,
    desired: &Ruleset,
    model: &mut Site,
    floor: &mut Site,
) -> Result<Vec<RepairTime>> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let Some(batch) = model.disturbance(disturbance, desired)? else { break };
        model.send(&batch)?;
        // The plans of one site are valid for the other, because both have the same history.
        let stages = model.observer.repair_stages(desired)?;
        for stage in &stages {
            model.observer.commit(stage)?;
        }
        model.check(desired)?;

        floor.namespace.enter()?;
        let stages: Vec<Vec<u8>> = stages.iter().map(Plan::to_batch_bytes).collect();
        let stages: Vec<Sending> =
            stages.iter().map(|it| Sending::new(it)).collect::<Result<_>>()?;
        let _others = floor.send(&batch)?;
        let mut commits = stages.iter().map(Sending::send).collect::<Result<Vec<_>>>()?.into_iter();
        let protected = commits.next().unwrap_or_default();
        times.push(RepairTime { protected, complete: protected + commits.sum::<Duration>() });
        floor.check(desired)?;
    }
    Ok(times)
}

/// The library's time for the repairs.
fn repairs(
    disturbance: Disturbance,
    rounds: usize,
    desired: &Ruleset,
    site: &mut Site,
) -> Result<Vec<RepairTime>> {
    site.namespace.enter()?;
    let mut reconciler = Reconciler::new(desired)?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let Some(batch) = site.disturbance(disturbance, desired)? else { break };
        let _others = site.send(&batch)?;
        let start = Instant::now();
        times.push(reconciler.repair(desired, start)?);
        site.check(desired)?;
    }
    Ok(times)
}

/// A namespace in which a second client disturbs the ruleset.
struct Site {
    namespace: Namespace,
    /// An engine that reads the state of the kernel.
    observer: Engine,
}

impl Site {
    /// Creates a namespace in which the kernel holds `desired`, and moves the calling thread there.
    fn new(desired: &Ruleset) -> Result<Site> {
        let namespace = Namespace::new()?;
        let mut observer = Engine::open()?;
        observer.apply(desired)?;
        Ok(Site { namespace, observer })
    }

    /// The batch of a disturbance, if there is anything to disturb.
    fn disturbance(&mut self, which: Disturbance, desired: &Ruleset) -> Result<Option<Vec<u8>>> {
        which.batch(desired, &self.observer.snapshot()?)
    }

    /// Commits a batch as another client, after the kernel has cleaned up the previous commit.
    /// Returns the open socket, because closing it would wait for the cleanup of this commit.
    fn send<'b>(&self, batch: &'b [u8]) -> Result<Sending<'b>> {
        self.namespace.enter()?;
        let batch = Sending::new(batch)?;
        settle()?;
        batch.send()?;
        Ok(batch)
    }

    /// Checks that the ruleset is repaired, and waits until the kernel has freed the memory. A
    /// virtual machine may have to request more memory from its host, which takes longer than
    /// everything else.
    fn check(&mut self, desired: &Ruleset) -> Result<()> {
        ensure!(self.observer.plan(desired)?.is_empty(), "the ruleset is not repaired");
        settle()
    }
}
