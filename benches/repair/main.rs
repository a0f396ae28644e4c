//! How long it takes until what others have done to the rules is put right, by the library alone: from
//! the moment at which their commit has returned to the repaired commit.
//!
//! `cargo bench --bench repair` as root writes `docs/repair.md`. With `-- --quick` it measures a small
//! set in a few rounds, to show that it works, and writes into the target directory.

mod disturbance;
mod keeper;
mod report;
#[path = "../support/mod.rs"]
mod support;

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use dwnl::ruleset::Ruleset;
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
    let wanted = wanted(size)?;
    // What the one plans fits in the other, because nothing has ever been different in them.
    let mut model = Site::new(&wanted)?;
    let mut floor = Site::new(&wanted)?;
    let mut site = Site::new(&wanted)?;
    let mut keeper = Keeper::new(&wanted)?;
    for disturbance in Disturbance::ALL {
        eprintln!("{size} sources: {disturbance}");
        let (mut repairs, mut floors) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let Some(batch) = model.disturbance(disturbance, &wanted)? else { break };
            model.send(&batch)?;
            let plan = model.observer.plan(&wanted)?;
            model.observer.commit(&plan)?;

            floor.namespace.enter()?;
            let repair = engine::datagram(&plan);
            let repair = Sending::new(&repair)?;
            let _others = floor.send(&batch)?;
            floors.push(repair.send()?);
            floor.check(&wanted)?;

            let _others = site.send(&batch)?;
            let start = Instant::now();
            keeper.repair(&wanted)?;
            repairs.push(start.elapsed());
            site.check(&wanted)?;
        }
        figures.insert((disturbance, size), (Spread::of(repairs), Spread::of(floors)));
    }
    Ok(())
}

/// Lets so many addresses in.
fn wanted(size: usize) -> Result<Ruleset> {
    let addresses = (0..size as u32).map(|number| Ipv4Addr::from(0x0a00_0000 + number * 64));
    let list: Vec<String> = addresses.map(|address| format!("\"{address}\"")).collect();
    let text = format!(
        "[sources]\npeers = [{}]\n[[allow]]\nports = [\"443\"]\nfrom = [\"peers\"]\n",
        list.join(", ")
    );
    Ok(compile(&Policy::parse(&text, "policy", Path::new(""))?))
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

    fn check(&mut self, wanted: &Ruleset) -> Result<()> {
        ensure!(self.observer.plan(wanted)?.is_empty(), "what was disturbed is not as it was");
        Ok(())
    }
}
