//! The document: the times of repairs, and whether they are within their limits.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::disturbance::Disturbance;
use crate::support::{RepairTimes, grouped, write_time};

/// The times of a repair and their floors, by disturbance and size; without samples where a disturbance
/// is impossible.
pub type Figures = BTreeMap<(Disturbance, usize), (RepairTimes, RepairTimes)>;

/// Maximum time until the guard is back in seconds, for each size.
const PROTECTED_MAX: [f64; 2] = [5e-3, 10e-3];
/// Maximum time of the whole repair in seconds, for each size.
const COMPLETE_MAX: [f64; 2] = [5e-3, 50e-3];

/// The whole document.
pub struct Report {
    pub figures: Figures,
    pub sizes: [usize; 2],
    pub machine: String,
    pub is_full: bool,
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        writeln!(f, "# Repair\n")?;
        let short = if self.is_full { "" } else { ", in a short run that is not significant" };
        writeln!(
            f,
            "Measured in one run of `cargo bench --bench repair` on this machine{short}:\n"
        )?;
        writeln!(f, "{}\n", self.machine)?;
        writeln!(f, "{EXPLANATION}")?;
        for (size, limits) in
            self.sizes.into_iter().zip(PROTECTED_MAX.into_iter().zip(COMPLETE_MAX))
        {
            self.write_table(f, size, limits)?;
        }
        Ok(())
    }
}

impl Report {
    fn write_table(&self, f: &mut Formatter, size: usize, limits: (f64, f64)) -> fmt::Result {
        writeln!(f, "\n## {} sources\n", grouped(size))?;
        let columns = ["protected", "complete"].map(|what| format!("{what} | floor | reached"));
        writeln!(f, "| disturbance | {} |", columns.join(" | "))?;
        writeln!(f, "|---|{}", "--:|--:|---|".repeat(columns.len()))?;
        for disturbance in Disturbance::ALL {
            let figures = self.figures.get(&(disturbance, size));
            if let Some((repair, floor)) = figures.filter(|(repair, _)| !repair.is_empty()) {
                write!(f, "| {disturbance} |")?;
                match disturbance.opens() {
                    true => write_time(f, repair.protected, Some(floor.protected), limits.0)?,
                    false => write!(f, " not lost | | |")?,
                }
                write_time(f, repair.complete, Some(floor.complete), limits.1)?;
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

const EXPLANATION: &str = "\
Time from the return of the disturbing system call to the return of the commit that puts the guard \
back in force (*protected*), and to that of the last commit of the repair (*complete*): the median, \
with the quartiles in parentheses. Until the first, sources get in that the policy does not allow; \
where that says *not lost*, the guard judges every flow all the time. From then on none does, and \
until the second, the guard refuses the sources in large sets. The disturbance comes from a second \
netlink client on the same thread. The rules are kept by a loop of `Monitor::wait` and \
`Engine::repair`, with the guard on. The *floor* is the kernel's own time for the bytes of the same \
commits, each sent with one bare system call immediately after the same disturbance, while no \
process listens in any namespace. The limits are 5 ms and, for the large policy, 10 ms until \
*protected* and 50 ms until *complete*, unless the kernel itself needs longer: before it accepts a \
rule with an iptables match, which only the nat tables have, it waits until the rules that were just \
deleted are freed, which takes an RCU grace period.";
