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
    /// `dwnl plan` that finds nothing to change.
    DwnlPlan,
    /// `dwnl --version`, which starts and does nothing.
    DwnlVersion,
    /// `dwnl apply` of a policy that denies the sources, all of which change.
    DwnlDenied,
    /// `iptables-restore --noflush` of the same rules, with the machine's version.
    Restore,
    /// The same with the newest version.
    RestoreNewest,
    /// `nft -f` of one set, with the machine's version.
    Nft,
    /// The same with the newest version.
    NftNewest,
    /// `ipset restore` of one set.
    Ipset,
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
    /// A new flow that the guard refuses, with an empty policy.
    FlowRefusedEmpty,
    /// The same with a policy.
    FlowRefused,
    /// The same with an empty policy, without the rules that record it.
    FlowUnrecorded,
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
    /// The same with the newest version.
    MemoryRestoreNewest,
    /// The peak memory of `nft -f`.
    MemoryNft,
    /// The same with the newest version.
    MemoryNftNewest,
    /// The peak memory of `ipset restore`.
    MemoryIpset,
    /// The first `dwnl apply` on a host with published ports that are in no entry.
    PublishedFirst,
    /// Another one that changes one source.
    PublishedOneChange,
    /// Another one that changes nothing.
    PublishedNoChange,
    /// The kernel's own time for listing Docker's rules.
    PublishedFloor,
    /// Number of lines that the first one prints.
    PublishedLines,
    /// `dwnl deny`, `dwnl allow` or `dwnl refused`.
    ByHand,
    /// The same by `ipset`.
    ByHandIpset,
    /// The same by `nft`.
    ByHandNft,
    /// The same by the newest version of `nft`.
    ByHandNftNewest,
    /// The size of the executable of a release.
    BinarySize,
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
