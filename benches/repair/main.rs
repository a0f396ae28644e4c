//! How long it takes until what others have done to the rules is put right, by the library alone: from
//! the moment at which their commit has returned to the repaired commit.
//!
//! `cargo bench --bench repair` as root writes `docs/benchmarks/repair.md`. With `-- --quick` it measures a small
//! set in a few rounds, to show that it works, and writes into the target directory.

mod disturbance;
mod keeper;
mod report;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use dwnl::model::Ruleset;
use dwnl::{Engine, Policy, compile, engine};

use crate::disturbance::Disturbance;
use crate::keeper::Keeper;
use crate::report::{Figures, Report};
use crate::support::{Namespace, Sending, Spread, settle};

/// How thoroughly it is measured: sizes of the policy, each with how often.
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

/// One policy with that many sources, disturbed in every way.
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
        figures.insert((disturbance, size), (Spread::of(repairs), Spread::of(floors)));
    }
    Ok(())
}

/// What the kernel takes for the repairs. While anybody listens, in whichever namespace, it makes
/// messages of what is committed: nobody does now.
fn floors(
    disturbance: Disturbance,
    rounds: usize,
    desired: &Ruleset,
    model: &mut Site,
    floor: &mut Site,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let Some(batch) = model.disturbance(disturbance, desired)? else { break };
        model.send(&batch)?;
        // What the one plans fits in the other, because nothing has ever been different in them.
        let plan = model.observer.plan(desired)?;
        model.observer.commit(&plan)?;
        model.check(desired)?;

        floor.namespace.enter()?;
        let repair = engine::datagram(&plan);
        let repair = Sending::new(&repair)?;
        let _others = floor.send(&batch)?;
        times.push(repair.send()?);
        floor.check(desired)?;
    }
    Ok(times)
}

/// What the library takes for them.
fn repairs(
    disturbance: Disturbance,
    rounds: usize,
    desired: &Ruleset,
    site: &mut Site,
) -> Result<Vec<Duration>> {
    site.namespace.enter()?;
    let mut keeper = Keeper::new(desired)?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let Some(batch) = site.disturbance(disturbance, desired)? else { break };
        let _others = site.send(&batch)?;
        let start = Instant::now();
        keeper.repair(desired)?;
        times.push(start.elapsed());
        site.check(desired)?;
    }
    Ok(times)
}

/// A namespace in which others work beside us.
struct Site {
    namespace: Namespace,
    /// Knows what the kernel holds.
    observer: Engine,
}

impl Site {
    /// Makes one where the kernel holds `desired`, and moves the calling thread there.
    fn new(desired: &Ruleset) -> Result<Site> {
        let namespace = Namespace::new()?;
        let mut observer = Engine::open()?;
        observer.apply(desired)?;
        Ok(Site { namespace, observer })
    }

    /// The batch that brings it about, if there is anything that it can be done to.
    fn disturbance(&mut self, which: Disturbance, desired: &Ruleset) -> Result<Option<Vec<u8>>> {
        which.batch(desired, &self.observer.snapshot()?)
    }

    /// Others commit a batch, when the kernel has cleared up after what was before. The closing of
    /// their socket would wait until it has done so after this one.
    fn send<'b>(&self, batch: &'b [u8]) -> Result<Sending<'b>> {
        self.namespace.enter()?;
        let batch = Sending::new(batch)?;
        settle()?;
        batch.send()?;
        Ok(batch)
    }

    /// Makes sure that it was put right, and waits until the kernel has its memory back: a virtual
    /// machine may have to get fresh memory from its host, which takes longer than anything else.
    fn check(&mut self, desired: &Ruleset) -> Result<()> {
        ensure!(self.observer.plan(desired)?.is_empty(), "what was disturbed is not as it was");
        settle()
    }
}
