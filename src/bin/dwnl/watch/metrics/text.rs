//! Counters as text, in the format of Prometheus (text-based exposition format 0.0.4).

use std::fmt::{Display, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dwnl::GuardDrops;

use super::counters::{Counters, OpStats};

/// The counters as text. What was dropped is left out if it could not be read.
pub fn text(counters: &Counters, dropped: Option<&[GuardDrops]>) -> String {
    let Counters { checks, reloads, repairs, conflicts, lost, is_current } = counters;
    let mut text = Text::default();
    text.counter("reloads", "Policies put in force, the first one included.", reloads.done);
    text.counter(
        "reload_failures",
        "Policies that had errors or could not be put in force.",
        reloads.failed,
    );
    text.last("reload", "a policy was put in force", reloads);
    text.gauge(
        "policy_current",
        "1 if the policy in force is what the file holds, 0 if that could not be put in force.",
        u8::from(*is_current),
    );
    text.counter("checks", "Comparisons of the kernel's rules with the policy.", checks);
    text.counter("repairs", "Changes by others that were undone or followed.", repairs.done);
    text.counter("repair_failures", "Comparisons and repairs that failed.", repairs.failed);
    text.last("repair", "something was repaired", repairs);
    text.counter(
        "generation_conflicts",
        "Commits turned down because others had changed the ruleset meanwhile.",
        conflicts,
    );
    text.counter("notifications_lost", "Times that the kernel lost notifications.", lost);
    if let Some(dropped) = dropped {
        let packets = dropped.iter().map(|dropped| (dropped, dropped.packets));
        text.drops("packets", packets);
        let bytes = dropped.iter().map(|dropped| (dropped, dropped.bytes));
        text.drops("bytes", bytes);
    }
    text.0
}

/// Text that grows by one metric after the other.
#[derive(Default)]
struct Text(String);

impl Text {
    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(&format!("{name}_total"), "counter", help, value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(name, "gauge", help, value);
    }

    /// When something was done last, and how long it took; 0 if it has not been done.
    fn last(&mut self, noun: &str, done: &str, outcomes: &OpStats) {
        let (at, took) = outcomes.last.unwrap_or((UNIX_EPOCH, Duration::ZERO));
        let name = format!("last_{noun}_timestamp_seconds");
        self.gauge(&name, &format!("When {done} last."), seconds(at));
        let name = format!("last_{noun}_duration_seconds");
        self.gauge(&name, &format!("How long that took the last time {done}."), took.as_secs_f64());
    }

    fn drops<'a>(&mut self, what: &str, values: impl Iterator<Item = (&'a GuardDrops, u64)>) {
        let name = format!("guard_dropped_{what}_total");
        self.heading(
            &name,
            "counter",
            "Dropped by the guard's rules, since they were written last.",
        );
        for (dropped, value) in values {
            self.line(format_args!("dwnl_{name}{{way=\"{}\"}} {value}", escaped(&dropped.path)));
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
        // A string takes everything.
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
        dropped.path = "a \"way\"\\".to_owned();
        (dropped.packets, dropped.bytes) = (7, 420);
        let dropped = [dropped];
        let text = text(&counters, Some(&dropped));
        for part in [
            "# HELP dwnl_repairs_total Changes by others that were undone or followed.\n\
             # TYPE dwnl_repairs_total counter\n\
             dwnl_repairs_total 3\n",
            "dwnl_repair_failures_total 1\n",
            "# TYPE dwnl_last_repair_timestamp_seconds gauge\n\
             dwnl_last_repair_timestamp_seconds 1700000000.25\n",
            "dwnl_last_repair_duration_seconds 0.0015\n",
            "dwnl_last_reload_timestamp_seconds 0\n",
            "dwnl_policy_current 1\n",
            "# TYPE dwnl_guard_dropped_packets_total counter\n\
             dwnl_guard_dropped_packets_total{way=\"a \\\"way\\\"\\\\\"} 7\n",
            "dwnl_guard_dropped_bytes_total{way=\"a \\\"way\\\"\\\\\"} 420\n",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
        let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(lines("# HELP dwnl_"), lines("# TYPE dwnl_"));
        assert_eq!(lines("dwnl_"), lines("# TYPE dwnl_"));
        assert_eq!(text.lines().count(), 3 * lines("dwnl_"));
    }

    #[test]
    fn what_could_not_be_read_is_left_out() {
        assert!(!text(&Counters::default(), None).contains("dropped"));
    }
}
