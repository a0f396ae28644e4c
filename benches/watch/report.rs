//! The document: the times of repairs and the resources used, and whether they are within their
//! limits.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::disturbance::Disturbance;
use crate::support::{Spread, durations, grouped};

/// The time of a repair, by disturbance and size; without samples where a disturbance is
/// impossible.
pub type Figures = BTreeMap<(Disturbance, usize), Spread>;

/// Maximum time of a repair in seconds, for each size.
const LIMITS: [f64; 2] = [5e-3, 50e-3];
/// Maximum memory with the small policy, in kilobytes.
const MEMORY_MAX: u64 = 16 * 1024;

/// The resources that a watch uses.
pub struct Cost {
    /// CPU time during five seconds at rest, in ticks.
    pub idle: u64,
    /// Resident memory after that, in kilobytes.
    pub resident: u64,
    /// Peak memory, in kilobytes.
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
        let short = if self.is_full { "" } else { ", in a short run that is not significant" };
        writeln!(f, "# Watch\n")?;
        writeln!(
            f,
            "Measured in one run of `cargo bench --bench watch` on this machine{short}:\n"
        )?;
        writeln!(f, "{}\n\n{EXPLANATION}\n", self.machine)?;
        let columns = self.sizes.map(|size| format!("{} sources | reached", grouped(size)));
        writeln!(f, "| disturbance | {} |", columns.join(" | "))?;
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
        writeln!(f, "\n| sources | CPU in 5 s at rest | memory at rest | peak memory | reached |")?;
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
Time from the return of the disturbing system call to the commit of the repair by a running `dwnl \
watch`: the median, with the quartiles in parentheses. No other process listens to the kernel, \
which would make large commits slower. One millisecond of the time is the wait for more commits of \
the same burst. The limit is 5 ms, or 50 ms for the large policy. Where rules were deleted, the \
kernel itself needs longer: [repair.md](repair.md) explains why, and has the floor of each row. At \
rest the watch may use no CPU time, and with the small policy at most 16 MiB of memory.";
