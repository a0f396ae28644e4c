//! The goals, as ratios of figures of one run.

use crate::effort::Effort;
use crate::figures::Figure::*;
use crate::figures::{Figure, Figures};
use crate::goal::{Goal, Limit};
use crate::support::Spread;
use crate::workload::Mix::{self, Country, Hosts, Mixed, Ports, Published, Ranges, Scattered};

/// All goals, for the sizes of this extent.
pub fn goals(figures: &Figures, effort: &Effort) -> Vec<Goal> {
    let Effort { small, medium, large, huge, .. } = *effort;
    let goals = Goals { figures };
    [
        goals.reloads(large, huge),
        goals.changes(large),
        goals.library(&[(medium, 1.15), (large, 1.15), (huge, 1.1)]),
        goals.unchanged(small, large),
        goals.flows(small, medium, large),
        goals.published(small, medium),
        goals.sizes(large, huge),
    ]
    .concat()
}

struct Goals<'a> {
    figures: &'a Figures,
}

impl Goals<'_> {
    /// The ratio of two figures.
    fn ratio(
        &self,
        what: impl Into<String>,
        limit: Limit,
        (over, under): (Figure, Figure),
        (mix, size): (Mix, usize),
    ) -> Goal {
        let measured = self.figures.ratio(over, under, mix, size);
        Goal { what: what.into(), limit, measured, floor: None }
    }

    /// A full reload as a whole process against a peer. The floor is the kernel's time for its batch.
    fn reload(&self, peer: Figure, limit: f64, of: (Mix, usize)) -> Goal {
        let what = format!("full reload of {}, whole process, against {}", label(of), name(peer));
        let floor = self.figures.ratio(peer, Floor, of.0, of.1);
        Goal { floor, ..self.ratio(what, Limit::Faster(limit), (peer, DwnlReload), of) }
    }

    fn reloads(&self, large: usize, huge: usize) -> Vec<Goal> {
        vec![
            self.reload(Restore, 15.0, (Hosts, large)),
            self.reload(Nft, 3.0, (Hosts, large)),
            self.reload(NftNewest, 3.0, (Hosts, large)),
            self.reload(Restore, 8.0, (Mixed, large)),
            self.reload(NftNewest, 3.0, (Ranges, large)),
            self.reload(NftNewest, 3.0, (Country, large)),
            self.reload(NftNewest, 3.0, (Hosts, huge)),
        ]
    }

    /// One source changed against a full load by a peer.
    fn changes(&self, large: usize) -> Vec<Goal> {
        let goal = |peer, limit, of| {
            let what = format!(
                "one source changed among {}, whole process, against {} of all",
                label(of),
                name(peer)
            );
            self.ratio(what, Limit::Faster(limit), (peer, DwnlOneChange), of)
        };
        vec![
            goal(Restore, 25.0, (Hosts, large)),
            goal(NftNewest, 15.0, (Ranges, large)),
            goal(NftNewest, 15.0, (Country, large)),
        ]
    }

    fn library(&self, limits: &[(usize, f64)]) -> Vec<Goal> {
        let goal = |&(size, limit)| {
            let of = label((Hosts, size));
            let what = format!("library call for a full reload of {of} against the floor");
            self.ratio(what, Limit::Within(limit), (Reload, Floor), (Hosts, size))
        };
        limits.iter().map(goal).collect()
    }

    /// An apply that finds nothing to do.
    fn unchanged(&self, small: usize, large: usize) -> Vec<Goal> {
        let mut goals = Vec::new();
        for mix in [Hosts, Mixed, Ranges, Country, Ports] {
            let what = format!("no change among {}, whole process, against", label((mix, large)));
            let of = (mix, large);
            let change = (DwnlOneChange, DwnlNoChange);
            goals.push(self.ratio(format!("{what} one change"), Limit::NotSlower, change, of));
            let reload = (DwnlNoChange, DwnlReload);
            let limit = Limit::Within(0.35);
            goals.push(self.ratio(format!("{what} a full reload"), limit, reload, of));
        }
        for (size, limit) in [(large, 15e-3), (small, 2e-3)] {
            for (figure, verb) in [(DwnlPlan, "plan"), (DwnlNoChange, "apply")] {
                goals.push(Goal {
                    what: format!("`dwnl {verb}` without a change among {}", label((Hosts, size))),
                    limit: Limit::Time(limit),
                    measured: self.figures.get(figure, Hosts, size),
                    floor: self.figures.get(DwnlVersion, Hosts, size),
                });
            }
        }
        let what = format!("{}, whole process, against {}", label((Hosts, small)), name(Restore));
        goals.push(self.ratio(what, Limit::NotSlower, (Restore, DwnlReload), (Hosts, small)));
        goals
    }

    fn flows(&self, small: usize, medium: usize, large: usize) -> Vec<Goal> {
        let empty = |what: &str, limit, figures, of| {
            let what = format!("new flow {what} {} against an empty policy", label(of));
            self.ratio(what, Limit::Within(limit), figures, of)
        };
        vec![
            empty("through", 1.5, (FlowDwnl, FlowEmpty), (Hosts, large)),
            empty("through denied", 1.5, (FlowDenied, FlowEmpty), (Hosts, large)),
            empty("refused by", 1.3, (FlowRefused, FlowRefusedEmpty), (Scattered, medium)),
            empty("through", 1.3, (FlowDwnl, FlowEmpty), (Scattered, medium)),
            self.ratio(
                "new flow through the guard against the guard without the match on sockets",
                Limit::Within(1.15),
                (FlowGuard, FlowGuardWithoutSockets),
                (Hosts, small),
            ),
        ]
    }

    /// Many published ports against few.
    fn published(&self, small: usize, medium: usize) -> Vec<Goal> {
        let over = |figure| {
            let few = self.figures.get(figure, Published, small)?;
            Some(self.figures.get(figure, Published, medium)?.over(few))
        };
        // What the kernel needs to list Docker's rules is a part of every apply.
        let floor = |figure| {
            let few = self.figures.get(figure, Published, small)?;
            let listed = |size| self.figures.get(PublishedFloor, Published, size);
            let more = listed(medium)?.median - listed(small)?.median;
            Some(Spread::from((few.median + more) / few.median))
        };
        let of = label((Published, medium));
        let goal = |what, figure| Goal {
            what: format!("`dwnl apply` {what} with {of} against {small} of them"),
            limit: Limit::Within(3.0),
            measured: over(figure),
            floor: floor(figure),
        };
        vec![
            goal("for the first time", PublishedFirst),
            goal("of one change", PublishedOneChange),
            goal("without a change", PublishedNoChange),
            Goal {
                what: format!("report of `dwnl apply` with {of}"),
                limit: Limit::Lines(20),
                measured: self.figures.get(PublishedLines, Published, medium),
                floor: None,
            },
        ]
    }

    fn sizes(&self, large: usize, huge: usize) -> Vec<Goal> {
        let memory = |size, limit| Goal {
            what: format!("peak memory of `dwnl apply` of {}", label((Hosts, size))),
            limit: Limit::Bytes(limit),
            measured: self.figures.get(MemoryDwnl, Hosts, size),
            floor: None,
        };
        let size = Goal {
            what: "executable of the profile `dist`".to_owned(),
            limit: Limit::Bytes(2e6),
            measured: self.figures.get(BinarySize, Hosts, 0),
            floor: None,
        };
        vec![memory(large, 48e6), memory(huge, 96e6), size]
    }
}

fn label((mix, size): (Mix, usize)) -> String {
    mix.label(size)
}

fn name(peer: Figure) -> &'static str {
    match peer {
        Restore => "`iptables-restore --noflush`",
        NftNewest => "the newest `nft -f`",
        _ => "`nft -f`",
    }
}
