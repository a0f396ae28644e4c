//! The table that has packets traced:
//!
//! ```text
//! table inet dwnl-trace-4711 {
//!     flags owner
//!     chain first {
//!         type filter hook prerouting priority -399; policy accept;
//!         ip saddr 192.0.2.9 tcp dport 443 counter limit rate 20/second burst 20 packets meta nftrace set 1
//!     }
//!     chain prerouting {                                  (input, forward and postrouting likewise)
//!         type filter hook prerouting priority 2147483647; policy accept;
//!         counter accept
//!     }
//! }
//! ```
//!
//! The kernel reports the headers of a packet with its first rule in a base chain, but not with a policy.
//! So the last chains have a rule.

use super::super::connection::Connection;
use super::Error;
use crate::model::{ChainPath, Family, NftRule, NftStatement, Position, TablePath, TraceFilter};
use crate::netlink::{BEGIN_SEQUENCE, Batch, Dump, KernelError, Request, decode_rule};
use crate::trace::{CHAINS, FIRST, table_name};

/// The table, which belongs to the socket of the connection that has created it.
pub struct TraceTable {
    pub path: TablePath,
}

impl TraceTable {
    /// Creates the table over a connection whose socket has this port ID.
    pub fn create(
        connection: &mut Connection,
        port: u32,
        filter: &TraceFilter,
    ) -> Result<TraceTable, Error> {
        let path = TablePath { family: Family::Inet, table: table_name(port).into() };
        let mut batch = Batch::new(0);
        batch.add_owned_table(&path);
        for (name, base) in CHAINS {
            let chain = chain(&path, name);
            batch.add_chain(&chain, Some(base));
            match name {
                FIRST => batch.add_trace_rule(&chain, filter),
                // `counter accept`
                _ => batch.add_rule(
                    &chain,
                    Position::Append,
                    &NftRule::new([], NftStatement::Accept).into(),
                ),
            }
        }
        let answer = connection.send_batch(&batch.finalize())?;
        match answer.errors.first() {
            None => Ok(TraceTable { path }),
            Some((sequence, error)) => Err(failure(*sequence, *error)),
        }
    }

    /// How many packets have matched the rule's conditions.
    pub fn matched(&self, connection: &mut Connection) -> Result<u64, Error> {
        let TablePath { table, family } = &self.path;
        let what = Dump::Rules { table, chain: Some(FIRST) };
        let request = |sequence| Request::dump(what, *family, sequence);
        let failure = |error: KernelError| Err(Error::from_kernel(error, "reading a counter"));
        let mut matched = 0;
        connection.list(request, failure, |message| {
            let rule = decode_rule(message.attributes(), *family);
            matched += rule.map_or(0, |(_, _, rule)| rule.packets);
        })?;
        Ok(matched)
    }

    /// Deletes the table now. Closing the socket would delete it too, but later.
    pub fn delete(&self, connection: &mut Connection) {
        let mut batch = Batch::new(0);
        batch.delete_table(&self.path);
        let _ = connection.send_batch(&batch.finalize());
    }
}

fn chain(table: &TablePath, name: &str) -> ChainPath {
    ChainPath { table: table.clone(), chain: name.into() }
}

/// A kernel before 5.12 rejects the table for its flag.
fn failure(sequence: u32, error: KernelError) -> Error {
    const TABLE: u32 = BEGIN_SEQUENCE + 1;
    match (sequence, error.errno) {
        (BEGIN_SEQUENCE, _) => Error::from_kernel(error, "beginning a trace"),
        (TABLE, libc::EINVAL | libc::EOPNOTSUPP) => Error::NoOwnedTables,
        _ => Error::Socket { action: "beginning a trace", source: error.source() },
    }
}
