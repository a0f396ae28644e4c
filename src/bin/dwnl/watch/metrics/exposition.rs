//! The text-based exposition format of Prometheus (0.0.4).

use std::fmt::{Display, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::counters::OpStats;

/// A label and its value.
type Label<'a> = (&'static str, &'a str);

/// The text of the metrics so far. Every name gets the prefix `dwnl_`.
#[derive(Default)]
pub struct Text(String);

impl Text {
    /// The whole text.
    pub fn into_string(self) -> String {
        self.0
    }

    /// A counter without labels; its name gets the suffix `_total`.
    pub fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.counters(name, help, [([], value)]);
    }

    /// A counter with labels; its name gets the suffix `_total`. No two values have the same labels.
    pub fn counters<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([Label<'a>; N], impl Display)>,
    ) {
        self.metric(&format!("{name}_total"), "counter", help, values);
    }

    /// A gauge without labels.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.gauges(name, help, [([], value)]);
    }

    /// A gauge of 1 or 0.
    pub fn flag(&mut self, name: &str, help: &str, is_set: bool) {
        self.gauge(name, help, u8::from(is_set));
    }

    /// A gauge with labels. No two values have the same labels.
    pub fn gauges<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([Label<'a>; N], impl Display)>,
    ) {
        self.metric(name, "gauge", help, values);
    }

    /// The time and the duration of the last operation; 0 before the first one.
    pub fn last(&mut self, noun: &str, operation: &str, stats: &OpStats) {
        let (at, took) = stats.last.unwrap_or((UNIX_EPOCH, Duration::ZERO));
        self.gauge(
            &format!("last_{noun}_timestamp_seconds"),
            &format!("Unix time of the last {operation}, 0 before the first one."),
            seconds(at),
        );
        self.gauge(
            &format!("last_{noun}_duration_seconds"),
            &format!("Duration of the last {operation}."),
            took.as_secs_f64(),
        );
    }

    fn metric<'a, const N: usize>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        values: impl IntoIterator<Item = ([Label<'a>; N], impl Display)>,
    ) {
        self.line(format_args!("# HELP dwnl_{name} {help}"));
        self.line(format_args!("# TYPE dwnl_{name} {kind}"));
        for (labels, value) in values {
            let labels = labels.map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
            match labels.join(",") {
                labels if labels.is_empty() => self.line(format_args!("dwnl_{name} {value}")),
                labels => self.line(format_args!("dwnl_{name}{{{labels}}} {value}")),
            }
        }
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
    fn metrics_have_help_type_and_escaped_labels() {
        let mut text = Text::default();
        text.counters("packets", "Packets.", [([("path", "a \"path\"\\\n"), ("port", "8")], 7)]);
        text.flag("current", "1 if it is.", true);
        assert_eq!(
            text.into_string(),
            "# HELP dwnl_packets_total Packets.\n\
             # TYPE dwnl_packets_total counter\n\
             dwnl_packets_total{path=\"a \\\"path\\\"\\\\\\n\",port=\"8\"} 7\n\
             # HELP dwnl_current 1 if it is.\n\
             # TYPE dwnl_current gauge\n\
             dwnl_current 1\n"
        );
    }

    #[test]
    fn the_last_operation_has_a_time_and_a_duration() {
        let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
        let mut stats = OpStats::default();
        let text_of = |stats: &OpStats| {
            let mut text = Text::default();
            text.last("repair", "repair", stats);
            text.into_string()
        };
        assert!(text_of(&stats).contains("\ndwnl_last_repair_timestamp_seconds 0\n"));
        stats.last = Some((at, Duration::from_micros(1_500)));
        let text = text_of(&stats);
        assert!(text.contains("\ndwnl_last_repair_timestamp_seconds 1700000000.25\n"), "{text}");
        assert!(text.contains("\ndwnl_last_repair_duration_seconds 0.0015\n"), "{text}");
    }
}
