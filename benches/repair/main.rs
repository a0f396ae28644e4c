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
    let wanted = compile(&Policy::parse(&policy, "policy", Path::new(""))?);
    let mut model = Site::new(&wanted)?;
    let mut floor = Site::new(&wanted)?;
    let mut site = Site::new(&wanted)?;
    for disturbance in Disturbance::ALL {
        eprintln!("{size} sources: {disturbance}");
        let floors = floors(disturbance, rounds, &wanted, &mut model, &mut floor)?;
        let repairs = repairs(disturbance, rounds, &wanted, &mut site)?;
        figures.insert((disturbance, size), (Spread::of(repairs), Spread::of(floors)));
    }
    Ok(())
}

/// What the kernel takes for the repairs. While anybody listens, in whichever namespace, it makes
/// messages of what is committed: nobody does now.
fn floors(
    disturbance: Disturbance,
    rounds: usize,
    wanted: &Ruleset,
    model: &mut Site,
    floor: &mut Site,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let Some(batch) = model.disturbance(disturbance, wanted)? else { break };
        model.send(&batch)?;
        // What the one plans fits in the other, because nothing has ever been different in them.
        let plan = model.observer.plan(wanted)?;
        model.observer.commit(&plan)?;
        model.check(wanted)?;

        floor.namespace.enter()?;
        let repair = engine::datagram(&plan);
        let repair = Sending::new(&repair)?;
        let _others = floor.send(&batch)?;
        times.push(repair.send()?);
        floor.check(wanted)?;
    }
    Ok(times)
}

/// What the library takes for them.
fn repairs(
    disturbance: Disturbance,
    rounds: usize,
    wanted: &Ruleset,
    site: &mut Site,
) -> Result<Vec<Duration>> {
    site.namespace.enter()?;
    let mut keeper = Keeper::new(wanted)?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let Some(batch) = site.disturbance(disturbance, wanted)? else { break };
        let _others = site.send(&batch)?;
        let start = Instant::now();
        keeper.repair(wanted)?;
        times.push(start.elapsed());
        site.check(wanted)?;
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
    /// Makes one where the kernel holds `wanted`, and moves the calling thread there.
    fn new(wanted: &Ruleset) -> Result<Site> {
        let namespace = Namespace::new()?;
        let mut observer = Engine::open()?;
        observer.apply(wanted)?;
        Ok(Site { namespace, observer })
    }

    /// The batch that brings it about, if there is anything that it can be done to.
    fn disturbance(&mut self, which: Disturbance, wanted: &Ruleset) -> Result<Option<Vec<u8>>> {
        which.batch(wanted, &self.observer.snapshot()?)
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
    fn check(&mut self, wanted: &Ruleset) -> Result<()> {
        ensure!(self.observer.plan(wanted)?.is_empty(), "what was disturbed is not as it was");
        settle()
    }
}
