//! The document: the goals and whether they are reached, and all figures with their ratios.

use std::fmt::{self, Display, Formatter};

use crate::figures::{Figure, Figures};
use crate::format::{memory, ratio};
use crate::goal::goals;
use crate::support::{Spread, duration, grouped};
use crate::workload::Mix;

/// The document, in Markdown.
pub struct Report<'a> {
    pub figures: &'a Figures,
    /// In ascending order, without the size of small policies.
    pub sizes: &'a [usize],
    /// The size of small policies.
    pub small: usize,
    /// The machine of the measurements.
    pub machine: String,
    pub quick: bool,
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        writeln!(f, "# Performance\n")?;
        if self.quick {
            writeln!(f, "**A quick run with small sizes: it says nothing about speed.**\n")?;
        }
        writeln!(f, "Measured in one run of `cargo bench --bench reload` on this machine:\n")?;
        writeln!(f, "{}\n", self.machine)?;
        writeln!(f, "Times differ between machines; the ratios are comparable.\n")?;
        writeln!(f, "![Time of a reload and cost of a new flow](reload.svg)\n")?;
        self.write_goals(f)?;
        for table in &TABLES {
            self.write_table(f, table)?;
        }
        Ok(())
    }
}

impl Report<'_> {
    fn write_goals(&self, f: &mut Formatter) -> fmt::Result {
        writeln!(f, "## Goals\n")?;
        writeln!(
            f,
            "Ratios of medians, with the smallest and the greatest ratio of the quartiles in \
            parentheses. *Not slower* is missed only if even the greatest ratio is below 1, \
            because equal times differ by chance.\n"
        )?;
        writeln!(f, "| figure | goal | measured | reached |\n|---|---|---|---|")?;
        for goal in goals(self.figures, self.small, self.sizes) {
            writeln!(f, "{goal}")?;
        }
        Ok(())
    }

    fn write_table(&self, f: &mut Formatter, table: &Table) -> fmt::Result {
        let Table { title, explanation, base, columns, format } = table;
        writeln!(f, "\n## {title}\n\n{explanation}\n")?;
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        writeln!(f, "| sources | {} |", names.join(" | "))?;
        writeln!(f, "|---|{}", "---|".repeat(columns.len()))?;
        for mix in Mix::ALL {
            for (size, base) in self.figures.of(*base, mix) {
                write!(f, "| {} {} |", grouped(size), mix.name())?;
                for (_, figure) in *columns {
                    match self.figures.get(*figure, mix, size) {
                        Some(Spread { median, .. }) => {
                            write!(f, " {} ({}) |", format(median), ratio(median / base.median))?;
                        }
                        None => write!(f, " |")?,
                    }
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// One table of figures, with a row for each mix and size.
struct Table {
    title: &'static str,
    explanation: &'static str,
    /// The figure that the ratios in parentheses relate to.
    base: Figure,
    columns: &'static [(&'static str, Figure)],
    format: fn(f64) -> String,
}

const TABLES: [Table; 7] = [
    Table {
        title: "Whole processes",
        explanation: "In parentheses: the time relative to `dwnl apply` of a policy in which \
                      every source has changed. *Mixed* is 90 % hosts and 10 % prefixes, \
                      *ranges* is half prefixes and half ranges. The peers always load \
                      everything and have no guard; `dwnl` has a guard only in the column that \
                      says so. The programs run in turn, each in a namespace of its own, and are \
                      measured from start to end. Before each run the kernel has time to clean \
                      up after the last one. (`nft` and `iptables-restore` wait for a part of \
                      that cleanup when they close their socket; `dwnl` leaves it to the \
                      kernel.)",
        base: Figure::DwnlReload,
        columns: &[
            ("`dwnl apply`, all changed", Figure::DwnlReload),
            ("with the guard", Figure::DwnlGuarded),
            ("one changed", Figure::DwnlOneChange),
            ("nothing changed", Figure::DwnlNoChange),
            ("`iptables-restore --noflush`", Figure::Restore),
            ("`nft -f`, one set", Figure::Nft),
            ("one `iptables` per rule", Figure::Script),
        ],
        format: duration,
    },
    Table {
        title: "Calls of the library",
        explanation: "In parentheses: the time relative to the floor, which is the kernel's own \
                      time for the bytes of the batch of a full reload. *Compile* begins with \
                      the text of the policy, and *encode* ends with those bytes. The others are \
                      calls of `Engine::apply` of one engine that stays open, without changes by \
                      other programs. Reload and floor are measured in turn, in two namespaces. \
                      Before each call the kernel has time to clean up after the last one.",
        base: Figure::Floor,
        columns: &[
            ("compile", Figure::Compile),
            ("encode", Figure::Encode),
            ("floor", Figure::Floor),
            ("full reload", Figure::Reload),
            ("one change", Figure::OneChange),
            ("no change", Figure::NoChange),
        ],
        format: duration,
    },
    Table {
        title: "New flows",
        explanation: "UDP packets to the published port, each with a new source port, from a \
                      source that is not allowed. The host has dockerd's rules, which make \
                      the kernel track connections. The time is from sending to arrival, for one \
                      packet after the other on one core. In parentheses: the time relative to \
                      an empty policy.",
        base: Figure::FlowEmpty,
        columns: &[
            ("empty policy", Figure::FlowEmpty),
            ("dwnl's policy", Figure::FlowDwnl),
            ("iptables rules", Figure::FlowIptables),
        ],
        format: flow,
    },
    Table {
        title: "New flows through the guard",
        explanation: "UDP packets to a port of the host itself, with the guard, and with the \
                      guard without its rules for Docker's sockets and for marked flows. In \
                      parentheses: the time relative to the guard without these rules.",
        base: Figure::FlowGuardWithoutSockets,
        columns: &[
            ("guard without them", Figure::FlowGuardWithoutSockets),
            ("guard", Figure::FlowGuard),
        ],
        format: flow,
    },
    Table {
        title: "Rules or a set",
        explanation: "The same hosts as rules and as a set: calls of `Engine::apply` that change \
                      all of them, and new flows as above. `dwnl` compiles a group of up to 63 \
                      sources of a family to rules, and a larger one to a set. A set is cheaper \
                      from a dozen sources on, but only rules are listed by `iptables -S` and \
                      have a counter for each source, and up to 63 of them cost little. In \
                      parentheses: the time relative to rules.",
        base: Figure::ReloadRules,
        columns: &[("reload, rules", Figure::ReloadRules), ("reload, set", Figure::ReloadSet)],
        format: duration,
    },
    Table {
        title: "New flows through rules or a set",
        explanation: "The same policies.",
        base: Figure::FlowRules,
        columns: &[("new flow, rules", Figure::FlowRules), ("new flow, set", Figure::FlowSet)],
        format: duration,
    },
    Table {
        title: "Peak memory",
        explanation: "The memory of the process that loads the policy. In parentheses: relative \
                      to `dwnl apply`.",
        base: Figure::MemoryDwnl,
        columns: &[
            ("`dwnl apply`", Figure::MemoryDwnl),
            ("`iptables-restore --noflush`", Figure::MemoryRestore),
            ("`nft -f`, one set", Figure::MemoryNft),
        ],
        format: memory,
    },
];

fn flow(seconds: f64) -> String {
    format!("{}, {}/s", duration(seconds), grouped((1.0 / seconds) as usize))
}
