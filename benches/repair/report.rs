//! The document: what has to be reached and what was.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::disturbance::Disturbance;
use crate::support::{Spread, durations, grouped};

/// The time of a repair and its floor, by disturbance and size; without samples where it cannot be.
pub type Figures = BTreeMap<(Disturbance, usize), (Spread, Spread)>;

/// The most that a repair may take, in seconds, for the sizes in order.
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
        let short = if self.is_full { "" } else { ", a short run that shows nothing" };
        writeln!(
            f,
            "Measured in one run of `cargo bench --bench repair` on this machine{short}:\n"
        )?;
        writeln!(f, "{}\n", self.machine)?;
        writeln!(f, "{EXPLANATION}\n")?;
        let columns = self.sizes.map(|size| format!("{} sources | floor | reached", grouped(size)));
        writeln!(f, "| what others did | {} |", columns.join(" | "))?;
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
            (false, false) => "no, nor could it be",
        };
        write!(f, " {} | {} | {reached} |", durations(*repair), durations(*floor))
    }
}

const EXPLANATION: &str = "\
From the moment at which the system call of the others returned to the moment at which the repairing \
commit has: the median, and in brackets the quartiles. The others are a netlink client on the \
same thread; what keeps the rules is a loop of `poll`, `Monitor::read`, `Engine::heed` and \
`Engine::apply`, the guard being on. The *floor* is what the kernel takes for the \
bytes of the same repair, sent by one bare system call just after the same disturbance where nobody \
listens, in no namespace. It has to be put right within 5 ms, or with very many sources within 50 ms, unless the kernel \
itself needs longer: before it takes a rule with a match of iptables it waits until what others have \
just deleted is freed, which is for a grace period of RCU.";
