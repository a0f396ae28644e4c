//! The time of a reload, the cost of a new flow and the memory needed, for policies of up to
//! 1,000,000 sources, compared with the programs that are used today. Everything runs in network
//! namespaces of its own.
//!
//! As root, `cargo bench --bench reload` measures everything in about ten minutes and writes
//! `docs/benchmarks/reload.md` and `reload.svg`. With `-- --quick` it measures small sizes in some
//! seconds, as a test, and writes to the target directory. The newest versions of the peers are those
//! that `scripts/setup` unpacks.

mod by_hand;
mod contender;
mod effort;
mod figures;
mod flows;
mod format;
mod goal;
mod goals;
mod guard;
mod library;
mod load;
mod memory;
mod plot;
mod process;
mod published;
mod refusal;
mod report;
mod size;
#[path = "../support/mod.rs"]
mod support;
mod tables;
mod threshold;
mod workload;

use std::env;

use anyhow::Result;

use crate::effort::Effort;
use crate::figures::Figures;
use crate::library::Bench;
use crate::report::{Peers, Report};
use crate::workload::Mix;

fn main() -> Result<()> {
    if env::args().nth(1).is_some_and(|first| first == memory::HELPER) {
        return memory::help(env::args_os().skip(2));
    }
    let is_full = support::is_full()?;
    let effort = if is_full { Effort::FULL } else { Effort::QUICK };
    let peers = Peers::find()?;
    let figures = measure(&effort)?;
    plot::draw(&support::documents(is_full).join("reload.svg"), &figures)?;
    let report =
        Report { figures: &figures, effort: &effort, machine: support::describe()?, peers };
    support::write("reload.md", &report, is_full)
}

fn measure(effort: &Effort) -> Result<Figures> {
    let directory = tempfile::tempdir()?;
    let directory = directory.path();
    let mut figures = Figures::default();
    let mut bench = Bench::new(&directory.join("criterion"), effort.library_time);
    let policies = || Mix::POLICIES.into_iter().flat_map(|mix| effort.of(mix));
    for (mix, size) in policies() {
        library::measure(&mut bench, directory, mix, size, &mut figures)?;
    }
    for (mix, size) in policies() {
        eprintln!("whole processes: {}", mix.label(size));
        process::measure(directory, mix, size, effort, &mut figures)?;
        memory::measure(directory, mix, size, &mut figures)?;
        eprintln!("new flows: {}", mix.label(size));
        flows::measure(directory, mix, size, effort.flow_rounds, &mut figures)?;
    }
    for (mix, size) in effort.refused() {
        eprintln!("refused flows: {}", mix.label(size));
        refusal::measure(directory, mix, size, effort.flow_rounds, &mut figures)?;
    }
    for (_, size) in effort.of(Mix::Published) {
        eprintln!("{}", Mix::Published.label(size));
        published::measure(directory, size, effort.process_rounds(size), &mut figures)?;
    }
    by_hand::measure(directory, (effort.large, effort.medium), effort.stream_rounds, &mut figures)?;
    eprintln!("rules or a set");
    threshold::measure(directory, effort.flow_rounds, &mut figures)?;
    eprintln!("new flows through the guard");
    guard::measure(directory, effort.small, effort.flow_rounds, &mut figures)?;
    refusal::measure_records(directory, effort.flow_rounds, &mut figures)?;
    size::measure(&mut figures)?;
    Ok(figures)
}
