//! The document: the times of repairs and the resources used, and whether they are within their
//! limits.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::disturbance::Disturbance;
use crate::support::{RepairTimes, grouped, write_time};

/// The times of a repair, by disturbance and size; without samples where a disturbance is impossible.
pub type Figures = BTreeMap<(Disturbance, usize), RepairTimes>;

/// Maximum time until the guard is back in seconds, for each size.
const PROTECTED_MAX: [f64; 2] = [5e-3, 10e-3];
/// Maximum time of the whole repair in seconds, for each size.
const COMPLETE_MAX: [f64; 2] = [5e-3, 50e-3];
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
        for (size, limits) in
            self.sizes.into_iter().zip(PROTECTED_MAX.into_iter().zip(COMPLETE_MAX))
        {
            self.write_times(f, size, limits)?;
        }
        self.write_costs(f)
    }
}

impl Report {
    fn write_times(&self, f: &mut Formatter, size: usize, limits: (f64, f64)) -> fmt::Result {
        writeln!(f, "## {} sources\n", grouped(size))?;
        writeln!(f, "| disturbance | protected | reached | complete | reached |")?;
        writeln!(f, "|---|--:|---|--:|---|")?;
        for disturbance in Disturbance::ALL {
            let times = self.figures.get(&(disturbance, size));
            if let Some(times) = times.filter(|times| !times.is_empty()) {
                write!(f, "| {disturbance} |")?;
                match disturbance.opens() {
                    true => write_time(f, times.protected, None, limits.0)?,
                    false => write!(f, " not lost | |")?,
                }
                write_time(f, times.complete, None, limits.1)?;
                writeln!(f)?;
            }
        }
        writeln!(f)
    }

    fn write_costs(&self, f: &mut Formatter) -> fmt::Result {
        writeln!(
            f,
            "## Resources\n\n| sources | CPU in 5 s at rest | memory at rest | peak memory | reached |"
        )?;
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
Time from the return of the disturbing system call to the commit of a running `dwnl watch` that puts \
the guard back in force (*protected*), and to the last commit of its repair (*complete*): the median, \
with the quartiles in parentheses. No other process listens to the kernel, which would make large \
commits slower. One millisecond of the time is the wait for more commits of the same burst. The \
limits are 5 ms and, for the large policy, 10 ms until *protected* and 50 ms until *complete*. Where \
rules were deleted, the kernel itself needs longer: [repair.md](repair.md) explains why and what \
happens between the two, and has the floor of each row. At rest the watch may use no CPU time, and \
with the small policy at most 16 MiB of memory.";
