//! The comments that describe a stored policy: one key of TOML on each line, behind `# `.

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use toml::de::{DeTable, DeValue};

use super::{Metadata, StateError};
use crate::policy::quoted;

/// The end of the year 9999, the last time that RFC 3339 can express, in seconds.
const TIME_MAX: u64 = 253_402_300_799;

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# source = {}", quoted(&self.source.to_string_lossy()))?;
        let applied_at = whole_seconds(self.applied_at);
        writeln!(f, "# applied-at = \"{}\"", humantime::format_rfc3339_seconds(applied_at))?;
        writeln!(f, "# command = {}", quoted(&self.command))?;
        writeln!(f, "# uid = {}", self.uid)?;
        self.login_uid.map_or(Ok(()), |uid| writeln!(f, "# login-uid = {uid}"))
    }
}

/// Reads the lines. Unknown keys are ignored.
pub(super) fn parse(text: &str) -> Result<Metadata, StateError> {
    let lines = text.lines().map(|line| line.strip_prefix("# "));
    let lines: Option<Vec<&str>> = lines.collect();
    let text = lines.ok_or(StateError::Metadata("comment"))?.join("\n");
    let table = DeTable::parse(&text).map_err(|_| StateError::Metadata("comment"))?;
    let table = table.get_ref();
    let string = |key| {
        let text = table.get(key).and_then(|value| value.get_ref().as_str());
        text.ok_or(StateError::Metadata(key))
    };
    let applied_at = humantime::parse_rfc3339(string("applied-at")?);
    let applied_at = applied_at.map_err(|_| StateError::Metadata("applied-at"))?;
    let uid = number(table, "uid")?.ok_or(StateError::Metadata("uid"))?;
    let metadata = Metadata::new(Path::new(string("source")?), string("command")?, applied_at, uid);
    Ok(metadata.with_login_uid(number(table, "login-uid")?))
}

fn number(table: &DeTable, key: &'static str) -> Result<Option<u32>, StateError> {
    let Some(value) = table.get(key) else { return Ok(None) };
    let number = match value.get_ref() {
        DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    };
    number.map(Some).ok_or(StateError::Metadata(key))
}

/// The time without fractions of a second, within the range of RFC 3339.
pub(super) fn whole_seconds(time: SystemTime) -> SystemTime {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    UNIX_EPOCH + Duration::from_secs(seconds.min(TIME_MAX))
}
