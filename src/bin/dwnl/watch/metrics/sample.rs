//! Which metrics there are, and their values at one time.

use std::collections::BTreeMap;

use dwnl::engine::PolicyCounters;
use dwnl::model::Ruleset;
use dwnl::{EntryCounters, Policy};

use super::counters::{Counters, FileState};
use super::exposition::Text;
use super::refusals::Refusals;

/// Maximum number of entries with a series of their own, which bounds what Prometheus has to store.
const ENTRIES_MAX: usize = 500;
/// The label of the entries beyond.
const OTHER_ENTRIES: &str = "(other entries)";

/// What tells policies apart between hosts.
#[derive(Clone, Debug, Default)]
pub struct Digests {
    /// The digest of the policy in force; empty if it is not known.
    pub policy: String,
    /// That of the files that it was read from; empty if it was not read from the file.
    pub source: String,
}

/// What the metrics are made of.
pub struct Sample<'a> {
    /// What the watch counted.
    pub counters: &'a Counters,
    /// The policy file.
    pub file: FileState,
    /// The policy in force, with its rules and sets.
    pub policy: Option<(&'a Policy, &'a Ruleset)>,
    /// The digests of that policy, and of the files that it was read from.
    pub digests: &'a Digests,
    /// The number of warnings about the policy and the host.
    pub warnings: usize,
    /// What the rules counted; `None` if it could not be read.
    pub kernel: Option<&'a PolicyCounters>,
    /// What was refused; `None` if it could not be read.
    pub refusals: Option<&'a Refusals>,
}

impl Sample<'_> {
    /// The metrics in the text-based exposition format.
    pub fn to_text(&self) -> String {
        let mut text = Text::default();
        let version = [([("version", env!("CARGO_PKG_VERSION"))], 1)];
        text.gauges("build_info", "1, with the version of the program.", version);
        self.write_policy(&mut text);
        self.write_repairs(&mut text);
        if let Some(kernel) = self.kernel {
            write_entries(&mut text, kernel);
            write_drops(&mut text, kernel);
        }
        if let Some(refusals) = self.refusals {
            refusals.write(&mut text);
        }
        text.into_string()
    }

    fn write_policy(&self, text: &mut Text) {
        let Counters { reloads, is_current, is_fallback, .. } = self.counters;
        text.counter(
            "reloads",
            "Successful policy loads, including the initial one.",
            reloads.done,
        );
        text.counter(
            "reload_failures",
            "Policies that had errors or could not be applied.",
            reloads.failed,
        );
        text.last("reload", "successful policy load", reloads);
        text.flag(
            "policy_current",
            "1 if the policy in force is that of the file, 0 if that could not be applied.",
            *is_current,
        );
        text.flag(
            "policy_fallback",
            "1 if the policy in force is the stored last valid one, because the file had errors at the start.",
            *is_fallback,
        );
        let state = |state: FileState| ([("state", state.word())], u8::from(state == self.file));
        text.gauges(
            "policy_file",
            "1 for the state of the policy file, 0 for the others.",
            FileState::ALL.map(state),
        );
        let Some((policy, ruleset)) = self.policy else { return };
        let Digests { policy: digest, source } = self.digests;
        text.gauges(
            "policy_info",
            "1, with the digests of the policy in force and of the files that it was read from.",
            [([("policy_digest", &**digest), ("source_digest", &**source)], 1)],
        );
        text.gauge("policy_entries", "Entries of the policy in force.", policy.entries().count());
        let elements: usize = ruleset.sets.iter().map(|set| set.elements.len()).sum();
        text.gauge("set_elements", "Elements of the sets for large groups.", elements);
        text.flag("guard_enabled", "1 if the guard is on.", policy.guard().is_enabled());
        text.gauge(
            "uncovered_ports",
            "Published ports that no entry of the policy covers, so that they are blocked.",
            self.counters.uncovered_ports,
        );
        text.gauge(
            "names_unresolved",
            "Names in the policy that cannot be resolved, or not completely.",
            self.counters.unresolved_names,
        );
        text.gauge("warnings", "Warnings about the policy and the host.", self.warnings);
    }

    fn write_repairs(&self, text: &mut Text) {
        let Counters { checks, repairs, drift_repairs, is_flapping, conflicts, lost, .. } =
            self.counters;
        text.counter("checks", "Comparisons of the kernel's rules with the policy.", checks);
        text.counter(
            "repairs",
            "Repairs of drift, including updates that follow Docker.",
            repairs.done,
        );
        text.counter(
            "drift_repairs",
            "Repairs of rules or sets that another program had changed.",
            drift_repairs,
        );
        text.counter("repair_failures", "Failed comparisons and repairs.", repairs.failed);
        text.last("repair", "repair", repairs);
        text.flag(
            "flapping",
            "1 while another program keeps changing what is repaired, so that repairs are rare.",
            *is_flapping,
        );
        text.counter(
            "generation_conflicts",
            "Commits rejected because the ruleset changed concurrently.",
            conflicts,
        );
        text.counter("netlink_overruns", "Overruns of the netlink notification buffer.", lost);
        text.flag(
            "kernel_counters_readable",
            "1 if the kernel's counters and sets could be read; if not, they are left out.",
            self.kernel.is_some() && self.refusals.is_some(),
        );
    }
}

fn write_entries(text: &mut Text, kernel: &PolicyCounters) {
    let series = [
        (
            &kernel.entries,
            ["entry_admitted_packets", "entry_admitted_bytes"],
            "First packets of flows that an entry admitted, since its rules were last written.",
        ),
        (
            &kernel.denied,
            ["entry_denied_packets", "entry_denied_bytes"],
            "Packets that an entry denied, since its rules were last written.",
        ),
    ];
    for (entries, [packets, bytes], help) in series {
        let counted = by_label(entries);
        let values = |value: fn(&Counted) -> u64| {
            let labels = counted.iter();
            labels.map(move |(label, counted)| ([("entry", label.as_str())], value(counted)))
        };
        text.counters(packets, help, values(|counted| counted.packets));
        text.counters(bytes, "Bytes of these packets.", values(|counted| counted.bytes));
    }
    let limited = by_label(&kernel.entries);
    let limited = limited.iter().filter_map(|(label, it)| Some((label, it.limited?)));
    text.counters(
        "entry_limited_packets",
        "Packets of flows above the limits of an entry, since its rules were last written.",
        limited.map(|(label, packets)| ([("entry", label.as_str())], packets)),
    );
}

/// What entries with the same label counted.
#[derive(Default)]
struct Counted {
    packets: u64,
    bytes: u64,
    /// Packets above the limits; `None` if no entry has limits.
    limited: Option<u64>,
}

/// The entries by their labels: the name, or the position of an entry without one (`#2`).
fn by_label(entries: &[EntryCounters]) -> BTreeMap<String, Counted> {
    let mut all: BTreeMap<String, Counted> = BTreeMap::new();
    for (position, entry) in entries.iter().enumerate() {
        let label = match &entry.name {
            _ if position >= ENTRIES_MAX => OTHER_ENTRIES.to_owned(),
            Some(name) => name.to_string(),
            None => format!("#{}", entry.index + 1),
        };
        let counted = all.entry(label).or_default();
        counted.packets = counted.packets.saturating_add(entry.packets);
        counted.bytes = counted.bytes.saturating_add(entry.bytes);
        if let Some(packets) = entry.limited {
            counted.limited = Some(counted.limited.unwrap_or(0).saturating_add(packets));
        }
    }
    all
}

fn write_drops(text: &mut Text, kernel: &PolicyCounters) {
    let drops = || kernel.drops.iter();
    text.counters(
        "guard_dropped_packets",
        "Packets dropped by the guard since its rules were last written.",
        drops().map(|drops| ([("path", drops.path.as_str())], drops.packets)),
    );
    text.counters(
        "guard_dropped_bytes",
        "Bytes dropped by the guard since its rules were last written.",
        drops().map(|drops| ([("path", drops.path.as_str())], drops.bytes)),
    );
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use dwnl::compile;
    use dwnl::model::RefusedReport;

    use super::*;

    #[test]
    fn every_metric_is_there_once_even_before_anything_happened() {
        let policy = "[[allow]]\nname = \"web\"\nports = [\"443\"]\n[[allow]]\nports = [\"80\"]\n";
        let policy = Policy::parse(policy, "policy.toml", Path::new("")).expect("a policy");
        let ruleset = compile(&policy);
        let counters = Counters { is_current: true, ..Counters::default() };
        let kernel = PolicyCounters::default();
        let refusals = Refusals::from(RefusedReport::default());
        let digests = Digests { policy: "sha256:1a".to_owned(), source: String::new() };
        let sample = |kernel| Sample {
            counters: &counters,
            file: FileState::Current,
            policy: Some((&policy, &ruleset)),
            digests: &digests,
            warnings: 2,
            kernel,
            refusals: kernel.map(|_| &refusals),
        };
        let text = sample(Some(&kernel)).to_text();
        for line in [
            "dwnl_policy_current 1",
            "dwnl_policy_file{state=\"current\"} 1",
            "dwnl_policy_file{state=\"failed\"} 0",
            "dwnl_policy_info{policy_digest=\"sha256:1a\",source_digest=\"\"} 1",
            "dwnl_policy_entries 2",
            "dwnl_guard_enabled 1",
            "dwnl_warnings 2",
            "dwnl_kernel_counters_readable 1",
            "# TYPE dwnl_guard_dropped_packets_total counter",
            "dwnl_refusals_recorded 0",
            "dwnl_refused_sources 0",
        ] {
            assert!(text.lines().any(|it| it == line), "no {line} in\n{text}");
        }
        let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
        let unique: std::collections::BTreeSet<&&str> = types.iter().collect();
        assert_eq!(types.len(), unique.len());
        let text = sample(None).to_text();
        assert!(text.contains("dwnl_kernel_counters_readable 0") && !text.contains("dropped"));
    }

    #[test]
    fn entries_have_a_bounded_number_of_distinct_labels() {
        let ports = |n: usize| format!("[[allow]]\nports = [\"{}\"]\n", n + 1);
        let text: String = (0..ENTRIES_MAX + 7).map(ports).collect();
        let text = format!("{text}[[allow]]\nname = \"#2\"\nports = [\"9\"]\n");
        let policy = Policy::parse(&text, "policy.toml", Path::new("")).expect("a policy");
        let snapshot = dwnl::model::Snapshot::default();
        let mut entries = dwnl::entry_counters(&policy, &snapshot);
        entries.iter_mut().for_each(|entry| entry.packets = 1);
        let admitted = by_label(&entries);
        assert_eq!(admitted.len(), ENTRIES_MAX + 1);
        assert_eq!(admitted[OTHER_ENTRIES].packets, 8);
        entries.rotate_right(1);
        assert_eq!(by_label(&entries)["#2"].packets, 2);
    }
}
