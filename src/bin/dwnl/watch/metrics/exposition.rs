//! Metrics in the text-based exposition format of Prometheus (0.0.4).

use std::fmt::{Display, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dwnl::GuardDrops;

use super::counters::{Counters, OpStats};

/// The counters as text; without the drops of the guard if they could not be read.
pub fn text(counters: &Counters, dropped: Option<&[GuardDrops]>) -> String {
    let Counters { checks, reloads, repairs, conflicts, lost, is_current, is_fallback } = counters;
    let mut text = Text::default();
    text.counter("reloads", "Successful policy loads, including the initial one.", reloads.done);
    text.counter(
        "reload_failures",
        "Policies that had errors or could not be applied.",
        reloads.failed,
    );
    text.last("reload", "successful policy load", reloads);
    text.gauge(
        "policy_current",
        "1 if the policy in force is that of the file, 0 if that could not be applied.",
        u8::from(*is_current),
    );
    text.gauge(
        "policy_fallback",
        "1 if the policy in force is the stored last valid one, because the file had errors at the start.",
        u8::from(*is_fallback),
    );
    text.counter("checks", "Comparisons of the kernel's rules with the policy.", checks);
    text.counter(
        "repairs",
        "Repairs of drift, including updates that follow Docker.",
        repairs.done,
    );
    text.counter("repair_failures", "Failed comparisons and repairs.", repairs.failed);
    text.last("repair", "repair", repairs);
    text.counter(
        "generation_conflicts",
        "Commits rejected because the ruleset changed concurrently.",
        conflicts,
    );
    text.counter("netlink_overruns", "Overruns of the netlink notification buffer.", lost);
    if let Some(dropped) = dropped {
        let packets = dropped.iter().map(|dropped| (dropped, dropped.packets));
        text.drops("Packets", packets);
        let bytes = dropped.iter().map(|dropped| (dropped, dropped.bytes));
        text.drops("Bytes", bytes);
    }
    text.0
}

/// The text of the metrics so far.
#[derive(Default)]
struct Text(String);

impl Text {
    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(&format!("{name}_total"), "counter", help, value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(name, "gauge", help, value);
    }

    /// The time and the duration of the last operation; 0 before the first one.
    fn last(&mut self, noun: &str, operation: &str, stats: &OpStats) {
        let (at, took) = stats.last.unwrap_or((UNIX_EPOCH, Duration::ZERO));
        let name = format!("last_{noun}_timestamp_seconds");
        self.gauge(
            &name,
            &format!("Unix time of the last {operation}, 0 before the first one."),
            seconds(at),
        );
        let name = format!("last_{noun}_duration_seconds");
        self.gauge(&name, &format!("Duration of the last {operation}."), took.as_secs_f64());
    }

    fn drops<'a>(&mut self, unit: &str, values: impl Iterator<Item = (&'a GuardDrops, u64)>) {
        let name = format!("guard_dropped_{}_total", unit.to_lowercase());
        self.heading(
            &name,
            "counter",
            &format!("{unit} dropped by the guard since its rules were last written."),
        );
        for (dropped, value) in values {
            self.line(format_args!("dwnl_{name}{{path=\"{}\"}} {value}", escaped(&dropped.path)));
        }
    }

    fn metric(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.heading(name, kind, help);
        self.line(format_args!("dwnl_{name} {value}"));
    }

    fn heading(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP dwnl_{name} {help}"));
        self.line(format_args!("# TYPE dwnl_{name} {kind}"));
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{line}");
    }
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// A label's value.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_help_and_type() {
        let took = Duration::from_micros(1_500);
        let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
        let repairs = OpStats { done: 3, failed: 1, last: Some((at, took)) };
        let counters = Counters { repairs, is_current: true, ..Counters::default() };
        let mut dropped = GuardDrops::default();
        dropped.path = "a \"path\"\\".to_owned();
        (dropped.packets, dropped.bytes) = (7, 420);
        let dropped = [dropped];
        let text = text(&counters, Some(&dropped));
        for part in [
            "# HELP dwnl_repairs_total Repairs of drift, including updates that follow Docker.\n\
             # TYPE dwnl_repairs_total counter\n\
             dwnl_repairs_total 3\n",
            "dwnl_repair_failures_total 1\n",
            "# TYPE dwnl_last_repair_timestamp_seconds gauge\n\
             dwnl_last_repair_timestamp_seconds 1700000000.25\n",
            "dwnl_last_repair_duration_seconds 0.0015\n",
            "dwnl_last_reload_timestamp_seconds 0\n",
            "dwnl_policy_current 1\n",
            "dwnl_policy_fallback 0\n",
            "# TYPE dwnl_guard_dropped_packets_total counter\n\
             dwnl_guard_dropped_packets_total{path=\"a \\\"path\\\"\\\\\"} 7\n",
            "dwnl_guard_dropped_bytes_total{path=\"a \\\"path\\\"\\\\\"} 420\n",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
        let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(lines("# HELP dwnl_"), lines("# TYPE dwnl_"));
        assert_eq!(lines("dwnl_"), lines("# TYPE dwnl_"));
        assert_eq!(text.lines().count(), 3 * lines("dwnl_"));
    }

    #[test]
    fn unreadable_drops_are_left_out() {
        assert!(!text(&Counters::default(), None).contains("dropped"));
    }
}
