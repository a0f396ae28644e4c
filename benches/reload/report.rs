//! The document: the goals and whether they are reached, and all figures with their ratios.

use std::fmt::{self, Display, Formatter};

use anyhow::Result;

use crate::effort::Effort;
use crate::figures::Figures;
use crate::format::ratio;
use crate::goals::goals;
use crate::support::{Program, Spread};
use crate::tables::{TABLES, Table};
use crate::workload::Mix;

/// The document, in Markdown.
pub struct Report<'a> {
    pub figures: &'a Figures,
    pub effort: &'a Effort,
    /// The machine of the measurements.
    pub machine: String,
    pub peers: Peers,
}

/// The versions of the peers.
pub struct Peers {
    iptables: String,
    newest_iptables: String,
    nft: String,
    newest_nft: String,
    ipset: String,
}

impl Peers {
    /// # Errors
    /// If one of them is missing.
    pub fn find() -> Result<Peers> {
        Ok(Peers {
            iptables: Program::new("iptables").version()?,
            newest_iptables: Program::newest_iptables("iptables")?.version()?,
            nft: Program::new("nft").version()?,
            newest_nft: Program::newest_nft()?.version()?,
            ipset: Program::newest_ipset()?.version()?,
        })
    }

    /// The text with the versions in the places of their names.
    fn named_in(&self, text: &str) -> String {
        text.replace("{iptables}", &self.iptables)
            .replace("{newest_iptables}", &self.newest_iptables)
            .replace("{nft}", &self.nft)
            .replace("{newest_nft}", &self.newest_nft)
            .replace("{ipset}", &self.ipset)
    }
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        writeln!(f, "# Performance\n")?;
        if self.effort.quick {
            writeln!(f, "**A quick run with small sizes: it says nothing about speed.**\n")?;
        }
        writeln!(f, "Measured in one run of `cargo bench --bench reload` on this machine:\n")?;
        writeln!(f, "{}\n", self.machine)?;
        let newest = "The newest peers are iptables {newest_iptables}, nftables {newest_nft} and \
                      ipset {ipset} of Debian sid, with its C library.";
        writeln!(f, "{}\n", self.peers.named_in(newest))?;
        writeln!(f, "Times differ between machines; the ratios are comparable.\n")?;
        writeln!(f, "![Time of a reload and cost of a new flow](reload.svg)\n")?;
        self.write_goals(f)?;
        TABLES.iter().try_for_each(|table| self.write_table(f, table))
    }
}

const GOALS: &str = "\
Ratios of medians, with the smallest and the greatest ratio of the quartiles in parentheses. *Not \
slower* is missed only if even the greatest ratio is below 1, because equal times differ by chance. \
The *floor* is what the figure would be if nothing but the kernel's own work was left: for a reload, \
the time for the bytes of its batch; for published ports, the time for listing Docker's rules; for \
an apply without a change, starting the program (`dwnl --version`). The time until a host is \
protected again after its rules were deleted is in [repair.md](repair.md).";

impl Report<'_> {
    fn write_goals(&self, f: &mut Formatter) -> fmt::Result {
        writeln!(f, "## Goals\n\n{GOALS}\n")?;
        writeln!(f, "| figure | goal | measured | reached | floor |\n|---|---|---|---|---|")?;
        goals(self.figures, self.effort).iter().try_for_each(|goal| writeln!(f, "{goal}"))
    }

    fn write_table(&self, f: &mut Formatter, table: &Table) -> fmt::Result {
        let Table { title, explanation, base, columns, format, spread } = table;
        writeln!(f, "\n## {title}\n\n{}\n", self.peers.named_in(explanation))?;
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let names = self.peers.named_in(&names.join(" | "));
        writeln!(f, "| | {names} |\n|---|{}", "---|".repeat(columns.len()))?;
        for mix in Mix::ALL {
            for (size, base) in self.figures.of(*base, mix) {
                write!(f, "| {} |", mix.label(size))?;
                for (_, figure) in *columns {
                    let Some(Spread { low, median, high }) = self.figures.get(*figure, mix, size)
                    else {
                        write!(f, " |")?;
                        continue;
                    };
                    let ratio = ratio(median / base.median);
                    write!(f, " {} ({ratio})", format(median))?;
                    if let Some(format) = spread {
                        write!(f, "<br>{} to {}", format(low), format(high))?;
                    }
                    write!(f, " |")?;
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}
