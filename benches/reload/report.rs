//! The document: what has to be reached and what was, and all figures with their ratios.

use std::fmt::{self, Display, Formatter};

use crate::figures::{Figure, Figures};
use crate::goal::goals;
use crate::support::{Spread, duration, grouped};
use crate::workload::Mix;

/// The document, in Markdown.
pub struct Report<'a> {
    pub figures: &'a Figures,
    /// From the smallest to the largest, without the one of small policies.
    pub sizes: &'a [usize],
    /// Of small policies.
    pub small: usize,
    /// What it was measured on.
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
        writeln!(f, "Times move from machine to machine; the ratios are what counts.\n")?;
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
        writeln!(f, "## What has to be reached\n")?;
        writeln!(
            f,
            "Ratios of medians; in brackets the least and the greatest ratio that the quartiles \
             allow. *Not slower* is missed if even the greatest is below 1, since two times that are \
             equal differ by chance.\n"
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
    /// What the ratios in brackets are to.
    base: Figure,
    columns: &'static [(&'static str, Figure)],
    format: fn(f64) -> String,
}

const TABLES: [Table; 7] = [
    Table {
        title: "Whole processes",
        explanation: "In brackets: how many times as long as `dwnl apply` of a policy in which \
                      every source is another. *Mixed* is 90 % hosts and 10 % prefixes, *ranges* \
                      is half prefixes and half ranges. The peers always load all of it, and have no \
                      guard; `dwnl` has none either but for the column that says so. Each runs in a \
                      namespace of its own, by turns, from its start to its end, and before each \
                      the kernel is given the time to clear up behind the last. (`nft` and \
                      `iptables-restore` wait for a part of that clearing up when they close \
                      their socket; `dwnl` leaves it to the kernel.)",
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
        explanation: "In brackets: how many times as long as the floor, which is what the kernel \
                      takes for the bytes of the batch of a full reload. *Compile* begins with \
                      the text of the policy, *encode* ends with those bytes; the others are \
                      calls of `Engine::apply` of one engine that is kept open, and that nobody \
                      disturbs in between. Reload and floor are taken by turns, in two \
                      namespaces. Before each call the kernel is given the time to clear up \
                      behind the last.",
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
        explanation: "UDP packets, each with a new source port, to the published port from a \
                      source that is not allowed, on a host with the rules of dockerd, which make \
                      the kernel track connections; the time is from sending to arrival, one \
                      after the other on one core. In brackets: how many times as long as with an \
                      empty policy.",
        base: Figure::FlowEmpty,
        columns: &[
            ("empty policy", Figure::FlowEmpty),
            ("policy of dwnl", Figure::FlowDwnl),
            ("rules of iptables", Figure::FlowIptables),
        ],
        format: flow,
    },
    Table {
        title: "New flows through the guard",
        explanation: "UDP packets to a port of the host's own, with the guard and without its rules that \
                      match Docker's sockets and marked flows. In brackets: how many times as long as \
                      without them.",
        base: Figure::FlowGuardBefore,
        columns: &[("guard without them", Figure::FlowGuardBefore), ("guard", Figure::FlowGuard)],
        format: flow,
    },
    Table {
        title: "Rules or a set",
        explanation: "The same hosts in either form: calls of `Engine::apply` that change every \
                      one of them, and new flows as above. `dwnl` makes rules of a group of up to \
                      63 sources of a family, and a set of a larger one. A set is cheaper from a \
                      dozen sources on, but only rules can be read in `iptables -S` and have a \
                      counter for each source, and up to 63 of them cost little. In brackets: how \
                      many times as long as by rules.",
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
        explanation: "Of the process that loads the policy. In brackets: how many times as much \
                      as `dwnl apply`.",
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

/// `12.3 MB`
pub fn memory(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

/// With three figures.
pub fn ratio(ratio: f64) -> String {
    match ratio {
        100.0.. => format!("{ratio:.0}"),
        10.0.. => format!("{ratio:.1}"),
        0.1.. => format!("{ratio:.2}"),
        _ => format!("{ratio:.4}"),
    }
}
