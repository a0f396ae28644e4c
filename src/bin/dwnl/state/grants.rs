//! The grants and bans that `--persist` keeps: `grants` holds one as a JSON object in each line.

use std::time::{Duration, SystemTime};

use dwnl::model::{AddressSpec, Grant, GrantAction, Name, Ports};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};

const FILE: &str = "grants";
/// Maximum size of the file, in bytes.
const SIZE_MAX: usize = 64 * 1024 * 1024;

/// A grant or ban with the time at which it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGrant {
    /// The source.
    pub source: AddressSpec,
    /// The published ports; `None`: every port.
    pub ports: Option<Ports>,
    action: GrantAction,
    since: SystemTime,
    until: Option<SystemTime>,
    note: Option<Name>,
}

impl StoredGrant {
    /// A grant or ban that begins now.
    pub fn new(grant: &Grant, now: SystemTime) -> StoredGrant {
        let Grant { action, source, ports, remaining, ref note } = *grant;
        let until = remaining.and_then(|remaining| now.checked_add(remaining));
        StoredGrant { source, ports, action, since: now, until, note: note.clone() }
    }

    /// Whether it is a grant or a ban.
    pub fn action(&self) -> GrantAction {
        self.action
    }

    /// The grant or ban, with the whole time that it was to last.
    pub fn grant(&self) -> Grant {
        let StoredGrant { source, ports, action, since, until, ref note } = *self;
        let remaining = until.map(|until| until.duration_since(since).unwrap_or_default());
        Grant { action, source, ports, remaining, note: note.clone() }
    }

    /// The grant or ban with the time that remains; `None` if it has ended. If the clock says that it has
    /// not begun yet, the clock is wrong: a ban then lasts as long as it was to last, and a grant is left
    /// out.
    pub fn present(&self, now: SystemTime) -> Option<Grant> {
        let grant = self.grant();
        let is_clock_wrong = now < self.since;
        let remaining = match self.until {
            None => None,
            Some(_) if is_clock_wrong && self.action == GrantAction::Deny => grant.remaining,
            Some(_) if is_clock_wrong => return None,
            Some(until) => Some(until.duration_since(now).ok().filter(|it| !it.is_zero())?),
        };
        Some(Grant { remaining, ..grant })
    }

    fn has_ended(&self, now: SystemTime) -> bool {
        self.until.is_some_and(|until| until <= now && now >= self.since)
    }
}

/// A line of the file. Times are milliseconds since 1970.
#[derive(Serialize, Deserialize)]
struct Line {
    action: String,
    source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ports: Option<String>,
    since: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Line {
    fn of(stored: &StoredGrant) -> Line {
        let action = match stored.action {
            GrantAction::Allow => "allow",
            GrantAction::Deny => "deny",
        };
        Line {
            action: action.to_owned(),
            source: stored.source.to_string(),
            ports: stored.ports.map(|ports| ports.to_string()),
            since: milliseconds(stored.since),
            until: stored.until.map(milliseconds),
            note: stored.note.as_deref().map(str::to_owned),
        }
    }

    fn read(self) -> Option<StoredGrant> {
        let action = match &*self.action {
            "allow" => GrantAction::Allow,
            "deny" => GrantAction::Deny,
            _ => return None,
        };
        let is_note = |note: &String| note.len() <= Grant::NOTE_MAX && !note.contains(['"', '\0']);
        let ports = match self.ports {
            None => None,
            Some(ports) => Some(ports.parse().ok()?),
        };
        let until = match self.until {
            None => None,
            Some(until) => Some(time(until)?),
        };
        Some(StoredGrant {
            source: self.source.parse().ok()?,
            ports,
            action,
            since: time(self.since)?,
            until,
            note: self.note.filter(is_note).map(Into::into),
        })
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn time(milliseconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
}

impl Store {
    /// The grants and bans that are kept, also those that have ended. A line that cannot be read is left
    /// out.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn grants(&self) -> Result<Vec<StoredGrant>, StoreError> {
        let bytes = self.read_file(FILE, SIZE_MAX)?.unwrap_or_default();
        let lines = bytes.split(|byte| *byte == b'\n');
        Ok(lines.filter_map(|line| serde_json::from_slice::<Line>(line).ok()?.read()).collect())
    }

    /// When the file was written last; `None` without a file.
    pub fn grants_version(&self) -> Option<SystemTime> {
        self.modified(FILE)
    }

    /// Changes what is kept. What has ended is forgotten. Without a change, nothing is written.
    ///
    /// # Errors
    /// If the file cannot be read or written. It is then as before.
    pub fn change_grants(
        &self,
        change: impl FnOnce(&mut Vec<StoredGrant>),
    ) -> Result<(), StoreError> {
        // Most commands keep nothing, and there is nothing to lock then.
        let (mut probe, is_empty) = (Vec::new(), self.grants()?.is_empty());
        if is_empty {
            change(&mut probe);
            if probe.is_empty() {
                return Ok(());
            }
            let _lock = self.lock()?;
            let mut all = self.grants()?;
            all.extend(probe);
            return self.write_grants(&all);
        }
        let _lock = self.lock()?;
        let before = self.grants()?;
        let mut all = before.clone();
        change(&mut all);
        let now = SystemTime::now();
        all.retain(|it| !it.has_ended(now));
        if all == before { Ok(()) } else { self.write_grants(&all) }
    }

    fn write_grants(&self, all: &[StoredGrant]) -> Result<(), StoreError> {
        let mut text = Vec::new();
        for stored in all {
            // Text and numbers can be written.
            let _ = serde_json::to_writer(&mut text, &Line::of(stored));
            text.push(b'\n');
        }
        self.write_file(FILE, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(action: GrantAction, seconds: Option<u64>) -> Grant {
        Grant {
            action,
            source: "192.0.2.0/24".parse().expect("a source"),
            ports: Some("443".parse().expect("a port")),
            remaining: seconds.map(Duration::from_secs),
            note: Some("a note".into()),
        }
    }

    #[test]
    fn what_is_kept_is_read_again_until_it_ends() {
        let directory = tempfile::TempDir::new().expect("a directory");
        let store = Store::open_path(directory.path()).expect("a store");
        assert_eq!(store.grants().expect("none"), []);
        let now =
            SystemTime::UNIX_EPOCH + Duration::from_secs(milliseconds(SystemTime::now()) / 1000);
        let long = StoredGrant::new(&grant(GrantAction::Deny, Some(3600)), now);
        let past =
            StoredGrant::new(&grant(GrantAction::Deny, Some(1)), now - Duration::from_secs(9));
        store.change_grants(|all| all.extend([past, long.clone()])).expect("to write");
        assert_eq!(store.grants().expect("all").len(), 2);
        let forever = StoredGrant::new(&grant(GrantAction::Allow, None), now);
        store.change_grants(|all| all.push(forever.clone())).expect("to write");
        assert_eq!(store.grants().expect("all"), [long, forever]);
        store.change_grants(Vec::clear).expect("to write");
        assert_eq!(store.grants().expect("none"), []);
    }

    #[test]
    fn a_wrong_clock_lets_nobody_in_and_keeps_bans() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        for (action, then, remaining) in [
            (GrantAction::Deny, Duration::ZERO, Some(Some(60))),
            (GrantAction::Allow, Duration::ZERO, None),
            (GrantAction::Allow, Duration::from_secs(1_800_000_020), Some(Some(40))),
            (GrantAction::Deny, Duration::from_secs(1_800_000_060), None),
        ] {
            let stored = StoredGrant::new(&grant(action, Some(60)), now);
            let present = stored.present(SystemTime::UNIX_EPOCH + then);
            let seconds = present.map(|grant| grant.remaining.map(|it| it.as_secs()));
            assert_eq!(seconds, remaining);
        }
    }
}
