//! The time of a reload, the cost of a new flow and the memory needed, for policies of up to
//! 100,000 sources, compared with the programs that are used today. Everything runs in network
//! namespaces of its own.
//!
//! As root, `cargo bench --bench reload` measures everything in some minutes and writes
//! `docs/benchmarks/reload.md` and `reload.svg`. With `-- --quick` it measures small sizes in some
//! seconds, as a test, and writes to the target directory.

mod figures;
mod flows;
mod format;
mod goal;
mod guard;
mod library;
mod memory;
mod plot;
mod process;
mod report;
#[path = "../support/mod.rs"]
mod support;
mod threshold;
mod workload;

use std::env;
use std::time::Duration;

use anyhow::Result;

use crate::figures::Figures;
use crate::library::Bench;
use crate::report::Report;
use crate::workload::Mix;

/// The size of a small policy, for which only whole processes are measured.
const SMALL: usize = 10;

/// The extent of the measurements.
struct Effort {
    quick: bool,
    sizes: &'static [usize],
    /// Maximum size that is also loaded with one process per rule.
    script_max: usize,
    library_time: Duration,
    flow_rounds: usize,
}

impl Effort {
    const FULL: Effort = Effort {
        quick: false,
        sizes: &[100, 1_000, 10_000, 100_000],
        script_max: 1_000,
        library_time: Duration::from_millis(500),
        flow_rounds: 11,
    };
    const QUICK: Effort = Effort {
        quick: true,
        sizes: &[100, 1_000],
        script_max: 100,
        library_time: Duration::from_millis(20),
        flow_rounds: 3,
    };

    /// Number of runs of each process, of which the median is taken.
    fn process_rounds(&self, size: usize) -> usize {
        match size {
            _ if self.quick => 1,
            0..100 => 51,
            100..1_000 => 21,
            1_000..10_000 => 9,
            _ => 13,
        }
    }
}

fn main() -> Result<()> {
    if env::args().nth(1).is_some_and(|first| first == memory::HELPER) {
        return memory::help(env::args_os().skip(2));
    }
    let is_full = support::is_full()?;
    let effort = if is_full { Effort::FULL } else { Effort::QUICK };
    let figures = measure(&effort)?;
    plot::draw(&support::documents(is_full).join("reload.svg"), &figures)?;
    let report = Report {
        figures: &figures,
        sizes: effort.sizes,
        small: SMALL,
        machine: support::describe()?,
        quick: effort.quick,
    };
    support::write("reload.md", &report, is_full)
}

fn measure(effort: &Effort) -> Result<Figures> {
    let directory = tempfile::tempdir()?;
    let directory = directory.path();
    let mut figures = Figures::default();
    let mut bench = Bench::new(&directory.join("criterion"), effort.library_time);
    for mix in Mix::ALL {
        for &size in effort.sizes {
            library::measure(&mut bench, directory, mix, size, &mut figures)?;
        }
    }
    eprintln!("rules or a set");
    threshold::measure(directory, effort.flow_rounds, &mut figures)?;
    eprintln!("new flows through the guard");
    guard::measure(directory, SMALL, effort.flow_rounds, &mut figures)?;
    for mix in Mix::ALL {
        for &size in [SMALL].iter().chain(effort.sizes) {
            eprintln!("whole processes: {size} {}", mix.name());
            process::measure(directory, mix, size, effort, &mut figures)?;
        }
        for &size in effort.sizes {
            eprintln!("new flows: {size} {}", mix.name());
            flows::measure(directory, mix, size, effort.flow_rounds, &mut figures)?;
        }
        for &size in effort.sizes {
            memory::measure(directory, mix, size, &mut figures)?;
        }
    }
    Ok(figures)
}
