//! The time until `dwnl watch` has repaired a change by another program, and the resources that it
//! uses.
//!
//! As root, `cargo bench --bench watch` writes `docs/benchmarks/watch.md`. With `-- --quick` it
//! measures a small policy in a few rounds, as a test, and writes to the target directory.

#[path = "../repair/disturbance.rs"]
mod disturbance;
mod process;
mod report;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dwnl::{Engine, Policy, compile};

use crate::disturbance::Disturbance;
use crate::process::Watch;
use crate::report::{Cost, Figures, Report};
use crate::support::{Generation, Namespace, RepairTime, RepairTimes, Sending, settle};

/// The extent of the measurements: sizes of the policy, each with the number of rounds.
const FULL: [(usize, usize); 2] = [(10, 31), (100_000, 11)];
const QUICK: [(usize, usize); 2] = [(10, 3), (1_000, 3)];
/// Interval between disturbances, long enough that the back-off never delays a repair.
const INTERVAL: Duration = Duration::from_millis(600);
/// Maximum time until a repair, far longer than any takes.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the ruleset has to stay the same after the last commit of a repair.
const QUIET: Duration = Duration::from_millis(200);
/// Pause between two queries of the generation ID.
const POLL_PAUSE: Duration = Duration::from_micros(50);
/// Duration of the measurement at rest.
const IDLE_TIME: Duration = Duration::from_secs(5);

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

/// Measures all disturbances of a policy with `size` sources.
fn measure(size: usize, rounds: usize, figures: &mut Figures) -> Result<Cost> {
    let policy = support::policy(size);
    let desired = compile(&Policy::parse(&policy, "policy", Path::new(""))?);
    let namespace = Namespace::new()?;
    let watch = Watch::start(&policy)?;
    // The watch reads the files again, because they may have changed before it watched them.
    thread::sleep(INTERVAL);
    let before = watch.work()?;
    thread::sleep(IDLE_TIME);
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
            ensure!(observer.plan(&desired)?.is_empty(), "the ruleset is not repaired");
            thread::sleep(INTERVAL);
        }
        figures.insert((disturbance, size), RepairTimes::of(&repairs));
    }
    Ok(Cost { idle, resident, peak: watch.kilobytes("VmHWM")? })
}

/// Commits a batch as another client, and returns the times until the watch has committed the first and
/// the last transaction of the repair.
fn repair(namespace: &Namespace, batch: &[u8]) -> Result<RepairTime> {
    namespace.enter()?;
    let generation = Generation::open()?;
    let client = Sending::new(batch)?;
    settle()?;
    // The disturbance is one generation, and each transaction of the repair is one more.
    let mut last = generation.get()?.wrapping_add(1);
    client.send()?;
    let start = Instant::now();
    let mut times: Option<RepairTime> = None;
    while times.is_none_or(|it| start.elapsed() - it.complete < QUIET) {
        ensure!(start.elapsed() < TIMEOUT, "there was no repair in time");
        let present = generation.get()?;
        if present != last {
            let now = start.elapsed();
            let protected = times.map_or(now, |it| it.protected);
            (times, last) = (Some(RepairTime { protected, complete: now }), present);
        }
        // This process and the watch may share a core.
        thread::sleep(POLL_PAUSE);
    }
    times.context("no repair")
}
