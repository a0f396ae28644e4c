//! The measurements: the median and the quartiles for each figure, mix and size.

use std::collections::BTreeMap;

use crate::support::Spread;
use crate::workload::Mix;

/// A measured quantity. Times are in seconds, memory is in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Library: from the text of the policy to the ruleset.
    Compile,
    /// Library: from the plan of a full reload to the bytes of its batch.
    Encode,
    /// The bytes of the batch of a full reload sent again, by one system call.
    Floor,
    /// Library: a call of `Engine::apply` that changes every source.
    Reload,
    /// Library: a call that changes one source.
    OneChange,
    /// Library: a call that changes nothing.
    NoChange,
    /// `dwnl apply` that changes every source.
    DwnlReload,
    /// The same with the guard.
    DwnlGuarded,
    /// `dwnl apply` that changes one source.
    DwnlOneChange,
    /// `dwnl apply` that changes nothing.
    DwnlNoChange,
    /// `iptables-restore --noflush` of the same rules.
    Restore,
    /// `nft -f` of one set.
    Nft,
    /// One `iptables` process for each rule.
    Script,
    /// A new flow through dwnl's managed objects, with an empty policy.
    FlowEmpty,
    /// A new flow through dwnl's policy.
    FlowDwnl,
    /// A new flow through a policy that denies the sources.
    FlowDenied,
    /// A new flow through iptables rules.
    FlowIptables,
    /// A new flow through the guard without its rules for Docker's sockets and for marked flows.
    FlowGuardWithoutSockets,
    /// A new flow through the guard.
    FlowGuard,
    /// Library: a call of `Engine::apply` that changes every source, all of them rules.
    ReloadRules,
    /// The same, all of them in a set.
    ReloadSet,
    /// A new flow through sources that are rules.
    FlowRules,
    /// A new flow through sources that are in a set.
    FlowSet,
    /// The peak memory of `dwnl apply`.
    MemoryDwnl,
    /// The peak memory of `iptables-restore --noflush`.
    MemoryRestore,
    /// The peak memory of `nft -f`.
    MemoryNft,
}

/// All measurements.
#[derive(Default)]
pub struct Figures(BTreeMap<(Figure, Mix, usize), Spread>);

impl Figures {
    pub fn set(&mut self, figure: Figure, mix: Mix, size: usize, value: impl Into<Spread>) {
        self.0.insert((figure, mix, size), value.into());
    }

    pub fn get(&self, figure: Figure, mix: Mix, size: usize) -> Option<Spread> {
        self.0.get(&(figure, mix, size)).copied()
    }

    /// The ratio of the first figure to the second.
    pub fn ratio(&self, over: Figure, under: Figure, mix: Mix, size: usize) -> Option<Spread> {
        Some(self.get(over, mix, size)?.over(self.get(under, mix, size)?))
    }

    /// The sizes for which the figure was measured, with its values.
    pub fn of(&self, figure: Figure, mix: Mix) -> impl Iterator<Item = (usize, Spread)> {
        let figures = self.0.iter().filter(move |(key, _)| (key.0, key.1) == (figure, mix));
        figures.map(|(key, value)| (key.2, *value))
    }

    /// The points of one curve, by size.
    pub fn curve(&self, figure: Figure, mix: Mix) -> Vec<(f64, f64)> {
        self.of(figure, mix).map(|(size, value)| (size as f64, value.median)).collect()
    }
}
