//! The JSON objects that `--json` prints: each starts with the version of the format.

use std::time::SystemTime;

use serde::Serialize;

/// The version of the JSON format (docs/json.md). It increases when a key is removed or changed.
const SCHEMA: u32 = 1;

/// A report with the version of the format, and for an event of `watch` its time.
#[derive(Debug, Serialize)]
pub struct JsonObject<'a, T> {
    schema: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(flatten)]
    value: &'a T,
}

impl<'a, T: Serialize> JsonObject<'a, T> {
    /// A report.
    pub fn new(value: &'a T) -> JsonObject<'a, T> {
        JsonObject { schema: SCHEMA, time: None, value }
    }

    /// The object as text.
    pub fn to_text(&self) -> String {
        // Serializing a report does not fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The object as a line.
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = self.to_text().into_bytes();
        line.push(b'\n');
        line
    }

    /// An event that happens now.
    pub fn now(value: &'a T) -> JsonObject<'a, T> {
        JsonObject::at(SystemTime::now(), value)
    }

    /// An event at `time`, which is printed in UTC with milliseconds (RFC 3339).
    pub fn at(time: SystemTime, value: &'a T) -> JsonObject<'a, T> {
        let time = humantime::format_rfc3339_millis(time).to_string();
        JsonObject { time: Some(time), ..JsonObject::new(value) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::test_support::json;
    use super::super::{Event, Failure};
    use super::*;

    #[test]
    fn the_version_comes_first() {
        let failure = Failure { error: "no permission" };
        assert_eq!(json(&JsonObject::new(&failure)), r#"{"schema":1,"error":"no permission"}"#);
        let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
        assert_eq!(
            json(&JsonObject::at(time, &Event::Stop)),
            r#"{"schema":1,"time":"2023-11-14T22:13:20.250Z","event":"stop"}"#
        );
    }
}
