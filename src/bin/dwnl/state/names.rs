//! `names.json`: the addresses that were found last for the names in a policy. They are kept apart from
//! the policies, which do not change when an address does.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dwnl::dns::KnownNames;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};

const FILE: &str = "names.json";
/// The maximum size of the file: far more than any policy with names needs.
const SIZE_MAX: usize = 16 << 20;
const SCHEMA: u32 = 1;

/// The file.
#[derive(Serialize, Deserialize)]
struct Names {
    schema: u32,
    names: Vec<Found>,
}

/// The addresses of one IP version that a name has.
#[derive(Serialize, Deserialize)]
struct Found {
    name: String,
    addresses: Vec<IpAddr>,
    /// In seconds since 1970.
    confirmed_at: u64,
}

impl Store {
    /// The addresses that were found last; none if there is no file.
    ///
    /// # Errors
    /// If the file cannot be read, or is not what [`Store::record_names`] writes.
    pub fn known_names(&self) -> Result<KnownNames, StoreError> {
        let Some(bytes) = self.read_file(FILE, SIZE_MAX)? else { return Ok(KnownNames::default()) };
        let names: Names = serde_json::from_slice(&bytes)
            .map_err(|error| self.io(FILE, io::Error::other(error.to_string())))?;
        let mut known = KnownNames::default();
        for Found { name, addresses, confirmed_at } in names.names {
            let since = UNIX_EPOCH.checked_add(Duration::from_secs(confirmed_at));
            if let (Ok(host), Some(since)) = (name.parse(), since) {
                known.insert(host, addresses, since);
            }
        }
        Ok(known)
    }

    /// Stores the addresses that were found last.
    ///
    /// # Errors
    /// If the file cannot be written. It is then as before.
    pub fn record_names(&self, known: &KnownNames) -> Result<(), StoreError> {
        let found = known.iter().map(|(host, addresses, confirmed_at)| Found {
            name: host.to_string(),
            addresses: addresses.to_vec(),
            confirmed_at: seconds(confirmed_at),
        });
        let names = Names { schema: SCHEMA, names: found.collect() };
        // Serializing it does not fail.
        let bytes = serde_json::to_vec(&names).unwrap_or_default();
        self.write_file(FILE, &bytes)
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
