//! How long it takes until `dwnl watch` has put right what others have done, and what it costs to let it
//! run.
//!
//! `cargo bench --bench watch` as root writes `docs/benchmarks/watch.md`. With `-- --quick` it measures a small set
//! in a few rounds, to show that it works, and writes into the target directory.

#[path = "../repair/disturbance.rs"]
mod disturbance;
mod process;
mod report;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use dwnl::{Engine, Policy, compile};

use crate::disturbance::Disturbance;
use crate::process::Watch;
use crate::report::{Cost, Figures, Report};
use crate::support::{Generation, Namespace, Sending, Spread, settle};

/// How thoroughly it is measured: sizes of the policy, each with how often.
const FULL: [(usize, usize); 2] = [(10, 31), (100_000, 11)];
const QUICK: [(usize, usize); 2] = [(10, 3), (1_000, 3)];
/// So far apart that repairs are made at once, however many there are.
const APART: Duration = Duration::from_millis(600);
/// How long a repair may take: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it is looked away between one look at the kernel and the next.
const GLANCE: Duration = Duration::from_micros(50);
/// How long it is watched while nothing happens.
const IDLE: Duration = Duration::from_secs(5);

fn main() -> Result<()> {
    let is_full = support::is_full()?;
    let efforts = if is_full { FULL } else { QUICK };
    let mut figures = Figures::default();
    let mut costs = Vec::new();
    for (size, rounds) in efforts {
        costs.push(measure(size, rounds, &mut figures)?);
    }
    let sizes = efforts.map(|(size, _)| size);
    let report = Report { figures, costs, sizes, machine: support::describe()?, is_full };
    support::write("watch.md", &report, is_full)
}

/// One policy with that many sources, disturbed in every way.
fn measure(size: usize, rounds: usize, figures: &mut Figures) -> Result<Cost> {
    let policy = support::policy(size);
    let desired = compile(&Policy::parse(&policy, "policy", Path::new(""))?);
    let namespace = Namespace::new()?;
    let watch = Watch::start(&policy)?;
    // What is read again because it may have changed before it was watched.
    thread::sleep(APART);
    let before = watch.work()?;
    thread::sleep(IDLE);
    let idle = watch.work()? - before;
    let resident = watch.kilobytes("VmRSS")?;
    let mut observer = Engine::open()?;
    for disturbance in Disturbance::ALL {
        eprintln!("{size} sources: {disturbance}");
        let mut repairs = Vec::new();
        for _ in 0..rounds {
            let batch = disturbance.batch(&desired, &observer.snapshot()?)?;
            let Some(batch) = batch else { break };
            repairs.push(repair(&namespace, &batch)?);
            ensure!(observer.plan(&desired)?.is_empty(), "what was disturbed is not as it was");
            thread::sleep(APART);
        }
        figures.insert((disturbance, size), Spread::of(repairs));
    }
    Ok(Cost { idle, resident, peak: watch.kilobytes("VmHWM")? })
}

/// Others commit a batch; the time from then until the watch has committed the repair.
fn repair(namespace: &Namespace, batch: &[u8]) -> Result<Duration> {
    namespace.enter()?;
    let generation = Generation::open()?;
    let others = Sending::new(batch)?;
    settle()?;
    let before = generation.get()?;
    others.send()?;
    let start = Instant::now();
    // Theirs is one further, and the repair the next.
    while generation.get()?.wrapping_sub(before) < 2 {
        ensure!(start.elapsed() < PATIENCE, "it is not repaired");
        // Both may have to share a core.
        thread::sleep(GLANCE);
    }
    Ok(start.elapsed())
}
