//! The document: what has to be reached and what was.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::disturbance::Disturbance;
use crate::support::{Spread, durations, grouped};

/// The time of a repair, by disturbance and size; without samples where it cannot be.
pub type Figures = BTreeMap<(Disturbance, usize), Spread>;

/// The most that a repair may take, in seconds, for the sizes in order.
const LIMITS: [f64; 2] = [5e-3, 50e-3];
/// The most memory that it may take with the small policy, in kilobytes.
const MEMORY_MAX: u64 = 16 * 1024;

/// What it costs to let it run.
pub struct Cost {
    /// Ticks of CPU time in five seconds in which nothing happened.
    pub idle: u64,
    /// Kilobytes in memory then.
    pub resident: u64,
    /// The most that there have been, in kilobytes.
    pub peak: u64,
}

/// The whole document.
pub struct Report {
    pub figures: Figures,
    pub costs: Vec<Cost>,
    pub sizes: [usize; 2],
    pub machine: String,
    pub is_full: bool,
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let short = if self.is_full { "" } else { ", a short run that shows nothing" };
        writeln!(f, "# Watch\n")?;
        writeln!(
            f,
            "Measured in one run of `cargo bench --bench watch` on this machine{short}:\n"
        )?;
        writeln!(f, "{}\n\n{EXPLANATION}\n", self.machine)?;
        let columns = self.sizes.map(|size| format!("{} sources | reached", grouped(size)));
        writeln!(f, "| what others did | {} |", columns.join(" | "))?;
        writeln!(f, "|---|{}", "--:|---|".repeat(columns.len()))?;
        for disturbance in Disturbance::ALL {
            write!(f, "| {disturbance} |")?;
            for (size, limit) in self.sizes.into_iter().zip(LIMITS) {
                let figure = self.figures.get(&(disturbance, size));
                match figure.filter(|spread| !spread.median.is_nan()) {
                    Some(spread) => {
                        let reached = if spread.median <= limit { "yes" } else { "**no**" };
                        write!(f, " {} | {reached} |", durations(*spread))?;
                    }
                    None => write!(f, " | |")?,
                }
            }
            writeln!(f)?;
        }
        self.write_costs(f)
    }
}

impl Report {
    fn write_costs(&self, f: &mut Formatter) -> fmt::Result {
        writeln!(f, "\n| sources | CPU in 5 s of rest | memory at rest | peak | reached |")?;
        writeln!(f, "|--:|--:|--:|--:|---|")?;
        for (number, (cost, size)) in self.costs.iter().zip(self.sizes).enumerate() {
            let reached = match (number, cost.idle, cost.peak <= MEMORY_MAX) {
                (0, 0, true) | (1.., 0, _) => "yes",
                _ => "**no**",
            };
            let [resident, peak] = [cost.resident, cost.peak].map(|size| size as f64 / 1024.0);
            writeln!(
                f,
                "| {} | {} ms | {resident:.1} MiB | {peak:.1} MiB | {reached} |",
                grouped(size),
                cost.idle * 10
            )?;
        }
        Ok(())
    }
}

const EXPLANATION: &str = "\
From the moment at which the system call of the others returned to the moment at which the kernel \
has the repair by a running `dwnl watch`: the median, and in brackets the quartiles. Nobody else listens to \
the kernel, which would make large commits slower. One millisecond of \
it is the time for which the watch waits for more of the same burst. It has to be put right within 5 ms, or \
with very many sources within 50 ms. Where others have deleted rules the kernel itself needs longer: \
[repair.md](repair.md) says why, and has the floor of each row. Idle, it may take \
no CPU time at all, and with the small policy no more than 16 MiB.";
