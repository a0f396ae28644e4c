//! The document: the times of repairs, and whether they are within their limits.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::disturbance::Disturbance;
use crate::support::{Spread, durations, grouped};

/// The time of a repair and its floor, by disturbance and size; without samples where a disturbance
/// is impossible.
pub type Figures = BTreeMap<(Disturbance, usize), (Spread, Spread)>;

/// Maximum time of a repair in seconds, for each size.
const LIMITS: [f64; 2] = [5e-3, 50e-3];

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
        writeln!(f, "{EXPLANATION}\n")?;
        let columns = self.sizes.map(|size| format!("{} sources | floor | reached", grouped(size)));
        writeln!(f, "| disturbance | {} |", columns.join(" | "))?;
        writeln!(f, "|---|{}", "--:|--:|---|".repeat(columns.len()))?;
        for disturbance in Disturbance::ALL {
            write!(f, "| {disturbance} |")?;
            for (size, limit) in self.sizes.into_iter().zip(LIMITS) {
                self.write_cells(f, disturbance, size, limit)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Report {
    fn write_cells(
        &self,
        f: &mut Formatter,
        disturbance: Disturbance,
        size: usize,
        limit: f64,
    ) -> fmt::Result {
        let figures = self.figures.get(&(disturbance, size));
        let Some((repair, floor)) = figures.filter(|(repair, _)| !repair.median.is_nan()) else {
            return write!(f, " | | |");
        };
        let reached = match (repair.median <= limit, floor.median <= limit) {
            (true, _) => "yes",
            (false, true) => "**no**",
            (false, false) => "no, nor is the floor",
        };
        write!(f, " {} | {} | {reached} |", durations(*repair), durations(*floor))
    }
}

const EXPLANATION: &str = "\
Time from the return of the disturbing system call to the return of the repairing commit: the \
median, with the quartiles in parentheses. The disturbance comes from a second netlink client on \
the same thread. The rules are kept by a loop of `Monitor::wait` and `Engine::apply`, with \
the guard on. The *floor* is the kernel's own time for the bytes of the same \
repair, sent with one bare system call immediately after the same disturbance, while no process \
listens in any namespace. The limit is 5 ms, or 50 ms for the large policy, unless the kernel \
itself needs longer: before it accepts a rule with an iptables match, it waits until the rules \
that were just deleted are freed, which takes an RCU grace period.";
