//! The goals, as ratios of figures of one run.

use std::fmt::{self, Display, Formatter};

use crate::figures::{Figure, Figures};
use crate::format::{memory, ratio};
use crate::support::{Spread, grouped};
use crate::workload::Mix;

/// A goal and its measurement.
pub struct Goal {
    what: String,
    limit: Limit,
    measured: Option<Spread>,
}

enum Limit {
    /// At least this many times as fast.
    Faster(f64),
    /// Not measurably slower: two equal figures differ by chance.
    NotSlower,
    /// At most this many times as long.
    Within(f64),
    /// At most this many bytes.
    Bytes(f64),
}

/// A row of a table.
impl Display for Goal {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let reached = match self.measured {
            Some(measured) if self.limit.holds(measured) => "yes",
            Some(_) => "**no**",
            None => "**not measured**",
        };
        let measured = self.measured.map(|measured| self.limit.format(measured));
        let Goal { what, limit, .. } = self;
        write!(f, "| {what} | {limit} | {} | {reached} |", measured.unwrap_or_default())
    }
}

impl Limit {
    fn holds(&self, measured: Spread) -> bool {
        match *self {
            Limit::Faster(limit) => measured.median >= limit,
            Limit::NotSlower => measured.high >= 1.0,
            Limit::Within(limit) | Limit::Bytes(limit) => measured.median <= limit,
        }
    }

    fn format(&self, measured: Spread) -> String {
        let Spread { low, median, high } = measured;
        let between = format!("({} to {})", ratio(low), ratio(high));
        match self {
            Limit::Faster(_) | Limit::NotSlower => {
                format!("{} times faster {between}", ratio(median))
            }
            Limit::Within(_) => format!("{} times as long {between}", ratio(median)),
            Limit::Bytes(_) => memory(median),
        }
    }
}

impl Display for Limit {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match *self {
            Limit::NotSlower => write!(f, "not slower"),
            Limit::Faster(limit) => write!(f, "{limit} times faster"),
            Limit::Within(limit) => write!(f, "within {limit}"),
            Limit::Bytes(limit) => write!(f, "{}", memory(limit)),
        }
    }
}

/// All goals, for the largest sizes that were measured.
pub fn goals(figures: &Figures, small: usize, sizes: &[usize]) -> Vec<Goal> {
    use Figure::*;
    let largest = sizes.last().copied().unwrap_or(small);
    let all = grouped(largest);
    let compare = |what: String, limit, over, under, mix, size| Goal {
        what,
        limit,
        measured: figures.ratio(over, under, mix, size),
    };
    let hosts = |what: &str, limit, over, under| {
        compare(what.replace("{}", &all), limit, over, under, Mix::Hosts, largest)
    };
    let mut goals = vec![
        hosts(
            "full reload of {} hosts, whole process, against `iptables-restore --noflush`",
            Limit::Faster(15.0),
            Restore,
            DwnlReload,
        ),
        hosts(
            "full reload of {} hosts, whole process, against `nft -f` with one set",
            Limit::Faster(3.0),
            Nft,
            DwnlReload,
        ),
        compare(
            format!("{all} mixed (90 % hosts, 10 % prefixes) against `iptables-restore`"),
            Limit::Faster(8.0),
            Restore,
            DwnlReload,
            Mix::Mixed,
            largest,
        ),
        hosts(
            "one source changed among {}, whole process, against `iptables-restore` of all",
            Limit::Faster(25.0),
            Restore,
            DwnlOneChange,
        ),
    ];
    goals.extend(sizes.iter().rev().take(2).rev().map(|&size| {
        compare(
            format!("library call for a full reload of {} hosts against the floor", grouped(size)),
            Limit::Within(1.15),
            Reload,
            Floor,
            Mix::Hosts,
            size,
        )
    }));
    goals.extend([
        hosts(
            "no change among {} (nothing is sent), whole process, against one change",
            Limit::NotSlower,
            DwnlOneChange,
            DwnlNoChange,
        ),
        compare(
            format!("{small} hosts, whole process, against `iptables-restore` of the same"),
            Limit::NotSlower,
            Restore,
            DwnlReload,
            Mix::Hosts,
            small,
        ),
        hosts(
            "new flow through {} hosts against an empty policy",
            Limit::Within(1.5),
            FlowDwnl,
            FlowEmpty,
        ),
        hosts(
            "new flow through {} denied hosts against an empty policy",
            Limit::Within(1.5),
            FlowDenied,
            FlowEmpty,
        ),
        compare(
            "new flow through the guard against the guard without the match on sockets".to_owned(),
            Limit::Within(1.15),
            FlowGuard,
            FlowGuardWithoutSockets,
            Mix::Hosts,
            small,
        ),
        Goal {
            what: format!("peak memory of `dwnl apply` of {all} hosts"),
            limit: Limit::Bytes(48e6),
            measured: figures.get(MemoryDwnl, Mix::Hosts, largest),
        },
    ]);
    goals
}
