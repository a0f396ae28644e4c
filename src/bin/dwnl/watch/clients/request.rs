//! What a client of the control socket asks for: one JSON object on one line (docs/control.md).

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// A request, and the number that its answer has to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The number.
    pub id: Option<u64>,
    /// The request.
    pub request: Request,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// What `dwnl status` reports.
    Status {},
    /// What a reload would change.
    Plan {},
    /// Read the policy again and apply it.
    Reload {
        /// Put the policy of before back in force after this time, unless the new one is confirmed.
        #[serde(default, deserialize_with = "duration")]
        confirm_within: Option<Duration>,
    },
    /// The policy on trial stays in force.
    Confirm {},
    /// The policy before the one on trial is put back in force.
    Rollback {},
    /// What is allowed and denied by hand.
    Grants {},
    /// Let a source in.
    Allow(Grant),
    /// Keep a source out.
    Deny(Ban),
    /// End grants and bans.
    Revoke(Revocation),
    /// Send each event from now on.
    Subscribe {},
}

/// The arguments of `allow`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The source.
    pub source: String,
    /// Ports, or entries of the policy.
    pub ports: Vec<String>,
    /// How long.
    #[serde(rename = "for")]
    pub duration: String,
    /// What it is for.
    pub note: Option<String>,
    /// Whether it is kept over a restart.
    #[serde(default)]
    pub persist: bool,
}

/// The arguments of `deny`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// The source.
    pub source: String,
    /// Ports; none: all.
    #[serde(default)]
    pub ports: Vec<String>,
    /// How long; `None`: until it is revoked.
    #[serde(rename = "for")]
    pub duration: Option<String>,
    /// What it is for.
    pub note: Option<String>,
    /// Whether it is kept over a restart.
    #[serde(default)]
    pub persist: bool,
    /// Whether established flows are terminated.
    #[serde(default)]
    pub cut: bool,
}

/// The arguments of `revoke`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// The source; `None`: all.
    pub source: Option<String>,
    /// Whether all are to end.
    #[serde(default)]
    pub all: bool,
    /// Ports; none: all.
    #[serde(default)]
    pub ports: Vec<String>,
    /// Which of the two; `None`: both.
    pub only: Option<Only>,
}

/// Which of the two a revocation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    /// Grants.
    Allow,
    /// Bans.
    Deny,
}

impl Call {
    /// Reads a line.
    ///
    /// # Errors
    /// The number that the answer has to have, as far as it could be read, and the reason.
    pub fn read(line: &[u8]) -> Result<Call, (Option<u64>, String)> {
        let value = serde_json::from_slice(line).map_err(|error| (None, error.to_string()))?;
        let Value::Object(mut object) = value else {
            return Err((None, "not a JSON object".to_owned()));
        };
        let id = match object.remove("id") {
            None | Some(Value::Null) => None,
            Some(id) => match id.as_u64() {
                Some(id) => Some(id),
                None => return Err((None, "`id` is not a number of at least 0".to_owned())),
            },
        };
        let request = serde_json::from_value(Value::Object(object));
        request.map(|request| Call { id, request }).map_err(|error| (id, error.to_string()))
    }
}

impl Request {
    /// Whether it changes anything.
    pub fn is_change(&self) -> bool {
        !matches!(self, Request::Status {} | Request::Plan {} | Request::Grants {})
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Request::Status {} => "status",
            Request::Plan {} => "plan",
            Request::Reload { .. } => "reload",
            Request::Confirm {} => "confirm",
            Request::Rollback {} => "rollback",
            Request::Grants {} => "grants",
            Request::Allow(_) => "allow",
            Request::Deny(_) => "deny",
            Request::Revoke(_) => "revoke",
            Request::Subscribe {} => "subscribe",
        }
    }
}

/// The longest trial.
const TRIAL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

fn duration<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
    let duration = humantime::parse_duration(&text).map_err(serde::de::Error::custom)?;
    if duration.is_zero() || duration > TRIAL_MAX {
        return Err(serde::de::Error::custom("use a duration of up to 24h"));
    }
    Ok(Some(duration))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(line: &str) -> Result<Call, (Option<u64>, String)> {
        Call::read(line.as_bytes())
    }

    #[test]
    fn requests_have_a_name_and_perhaps_a_number() {
        for name in ["status", "plan", "reload", "confirm", "rollback", "grants", "subscribe"] {
            let call = read(&format!(r#"{{"request":"{name}","id":7}}"#)).expect("a request");
            assert_eq!((call.id, call.request.name()), (Some(7), name));
        }
        let call = read(r#"{"request":"reload","confirm_within":"90s"}"#).expect("a request");
        let confirm_within = Some(Duration::from_secs(90));
        assert_eq!(call, Call { id: None, request: Request::Reload { confirm_within } });
        let call = read(r#"{"request":"deny","source":"192.0.2.7","for":"1h","cut":true}"#);
        let ban = Ban {
            source: "192.0.2.7".to_owned(),
            ports: Vec::new(),
            duration: Some("1h".to_owned()),
            note: None,
            persist: false,
            cut: true,
        };
        assert_eq!(call, Ok(Call { id: None, request: Request::Deny(ban) }));
    }

    #[test]
    fn what_is_misspelt_is_an_error_and_not_left_out() {
        for (line, id, reason) in [
            ("", None, "EOF"),
            ("[1]", None, "not a JSON object"),
            (r#"{"id":3}"#, Some(3), "missing field `request`"),
            (r#"{"id":"a","request":"status"}"#, None, "`id` is not a number"),
            (r#"{"request":"stauts"}"#, None, "unknown variant `stauts`"),
            (r#"{"request":"status","verbose":true}"#, None, "unknown field `verbose`"),
            (
                r#"{"id":4,"request":"deny","source":"a","fro":"1h"}"#,
                Some(4),
                "unknown field `fro`",
            ),
            (r#"{"request":"allow","source":"a","ports":[]}"#, None, "missing field `for`"),
            (r#"{"request":"reload","confirm_within":"25h"}"#, None, "up to 24h"),
        ] {
            let (found, error) = read(line).expect_err(line);
            assert!(found == id && error.contains(reason), "{line}: {found:?}, {error}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_an_error(line: Vec<u8>, text in r#"\{"request":"[a-z]{4,6}".{0,40}\}"#) {
            let _ = Call::read(&line);
            let _ = Call::read(text.as_bytes());
        }
    }
}
