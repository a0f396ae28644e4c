//! The tables of the document.

use crate::figures::Figure;
use crate::format::memory;
use crate::support::{duration, grouped};

/// One table of figures, with a row for each mix and size.
pub struct Table {
    pub title: &'static str,
    pub explanation: &'static str,
    /// The figure that the ratios in parentheses relate to.
    pub base: Figure,
    pub columns: &'static [(&'static str, Figure)],
    pub format: fn(f64) -> String,
    /// How the quartiles are shown, if they are.
    pub spread: Option<fn(f64) -> String>,
}

pub const TABLES: [Table; 10] = [
    Table {
        title: "Whole processes",
        explanation: "In parentheses: the time relative to `dwnl apply` of a policy in which \
                      every source has changed; below: the quartiles. *Mixed* is 90 % hosts and \
                      10 % prefixes, *ranges* is half prefixes and half ranges. The country list \
                      is generated, with the lengths that prefixes have on the Internet. The \
                      peers always load everything and have no guard; `dwnl` has a guard only in \
                      the columns that say so, and for `[[deny]]`. Each peer has the form that \
                      suits it best: `nft` and `ipset` load one set, or one set of sources and \
                      one of ports; `ipset` fills new sets and swaps them. A million rules of \
                      iptables are left out: they take half a minute and 3 GB. The programs run \
                      in turn, each in a namespace of its own, and `dwnl` has a state directory \
                      as on a host. They are measured from start to end. Before each run the \
                      kernel has time to clean up after the last one. (`nft` and \
                      `iptables-restore` wait for a part of that cleanup when they close their \
                      socket; `dwnl` leaves it to the kernel.)",
        base: Figure::DwnlReload,
        columns: &[
            ("`dwnl apply`, all changed", Figure::DwnlReload),
            ("with the guard", Figure::DwnlGuarded),
            ("as `[[deny]]`", Figure::DwnlDenied),
            ("one changed", Figure::DwnlOneChange),
            ("nothing changed", Figure::DwnlNoChange),
            ("`dwnl plan`", Figure::DwnlPlan),
            ("`dwnl --version`", Figure::DwnlVersion),
            ("`nft -f` {nft}", Figure::Nft),
            ("`nft -f` {newest_nft}", Figure::NftNewest),
            ("`ipset restore` {ipset}", Figure::Ipset),
            ("`iptables-restore` {iptables}", Figure::Restore),
            ("`iptables-restore` {newest_iptables}", Figure::RestoreNewest),
            ("one `iptables` per rule", Figure::Script),
        ],
        format: duration,
        spread: Some(duration),
    },
    Table {
        title: "Published ports that no entry has",
        explanation: "`dwnl apply` of ten sources with the guard, on a host whose Docker publishes \
                      these ports, each with its rules in `nat` and `filter`. The *floor* is the \
                      kernel's own time for listing Docker's chains `DOCKER`. In parentheses: \
                      relative to the first apply.",
        base: Figure::PublishedFirst,
        columns: &[
            ("first", Figure::PublishedFirst),
            ("one changed", Figure::PublishedOneChange),
            ("nothing changed", Figure::PublishedNoChange),
            ("floor", Figure::PublishedFloor),
        ],
        format: duration,
        spread: Some(duration),
    },
    Table {
        title: "By hand",
        explanation: "`dwnl deny` of one source while many are denied, and streams of `dwnl deny -` \
                      and `dwnl allow - --for 1h` into empty sets. The peers add to sets whose \
                      elements can end, too: `nft add element` and `ipset add` for one, `nft -f` \
                      and `ipset restore` for a stream. In parentheses: relative to `dwnl`.",
        base: Figure::ByHand,
        columns: &[
            ("`dwnl`", Figure::ByHand),
            ("`nft` {nft}", Figure::ByHandNft),
            ("`nft` {newest_nft}", Figure::ByHandNftNewest),
            ("`ipset` {ipset}", Figure::ByHandIpset),
        ],
        format: duration,
        spread: Some(duration),
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
        spread: Some(duration),
    },
    Table {
        title: "New flows",
        explanation: "UDP packets to a port of the host, each with a new source port, from a \
                      source that is not allowed, without the guard. The host has dockerd's rules, \
                      which make the kernel track connections. The time is from sending to \
                      arrival, for one packet after the other on one core. In parentheses: the \
                      time relative to an empty policy.",
        base: Figure::FlowEmpty,
        columns: &[
            ("empty policy", Figure::FlowEmpty),
            ("dwnl's policy", Figure::FlowDwnl),
            ("as `[[deny]]`", Figure::FlowDenied),
            ("iptables rules", Figure::FlowIptables),
        ],
        format: flow,
        spread: Some(duration),
    },
    Table {
        title: "New flows that the guard refuses",
        explanation: "The same to a published port, with the guard, which drops and records them. \
                      In parentheses: the time relative to an empty policy. The last row is an \
                      empty policy without the rules that record (*unrecorded*), with one refused \
                      source on record, and after 20,000 forged sources, which fill the sets.",
        base: Figure::FlowRefusedEmpty,
        columns: &[
            ("unrecorded", Figure::FlowUnrecorded),
            ("empty policy", Figure::FlowRefusedEmpty),
            ("dwnl's policy", Figure::FlowRefused),
        ],
        format: flow,
        spread: Some(duration),
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
        spread: Some(duration),
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
        spread: Some(duration),
    },
    Table {
        title: "New flows through rules or a set",
        explanation: "The same policies.",
        base: Figure::FlowRules,
        columns: &[("new flow, rules", Figure::FlowRules), ("new flow, set", Figure::FlowSet)],
        format: duration,
        spread: Some(duration),
    },
    Table {
        title: "Peak memory",
        explanation: "The memory of the process that loads the policy, without that of the kernel. \
                      In parentheses: relative to `dwnl apply`.",
        base: Figure::MemoryDwnl,
        columns: &[
            ("`dwnl apply`", Figure::MemoryDwnl),
            ("`nft -f` {nft}", Figure::MemoryNft),
            ("`nft -f` {newest_nft}", Figure::MemoryNftNewest),
            ("`ipset restore` {ipset}", Figure::MemoryIpset),
            ("`iptables-restore` {iptables}", Figure::MemoryRestore),
            ("`iptables-restore` {newest_iptables}", Figure::MemoryRestoreNewest),
        ],
        format: memory,
        spread: None,
    },
];

fn flow(seconds: f64) -> String {
    format!("{}, {}/s", duration(seconds), grouped((1.0 / seconds) as usize))
}
