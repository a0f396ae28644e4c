//! Commits a plan: one batch, one system call, and the kernel's errors traced back to the changes.

use std::collections::BTreeMap;

use super::Error;
use super::connection::{BatchAnswer, Connection};
use super::rejection::Rejection;
use crate::model::{Grant, GrantSet};
use crate::netlink::{
    BEGIN_SEQUENCE, Batch, Counter, FinalizedBatch, KernelError, describe_offset,
};
use crate::plan::{Change, Plan};

impl Plan {
    /// The bytes of the one datagram that [`Engine::commit`](super::Engine::commit) sends; none for an
    /// empty plan. For benchmarks and recordings.
    #[doc(hidden)]
    pub fn to_batch_bytes(&self) -> Vec<u8> {
        match self.is_empty() {
            true => Vec::new(),
            false => encode(self.generation, &self.changes, &BTreeMap::new()).bytes().to_vec(),
        }
    }
}

/// Sends the batch of these changes, which are based on this generation, and returns the one that it produced.
pub(super) fn send(
    connection: &mut Connection,
    generation: u32,
    changes: &[Change],
    batch: &FinalizedBatch,
) -> Result<u32, Error> {
    let answer = connection.send_batch(batch)?;
    match answer.errors.first() {
        Some((sequence, error)) => Err(failure(changes, batch, *sequence, *error)),
        None => confirm(generation, &answer),
    }
}

/// The batch of these changes, which are based on this generation. `grants`: what the sets of grants and bans
/// that it creates hold from the beginning.
pub(super) fn encode(
    generation: u32,
    changes: &[Change],
    grants: &BTreeMap<GrantSet, Vec<Grant>>,
) -> FinalizedBatch {
    let mut batch = Batch::new(generation);
    batch.reserve_elements(changes.iter().filter_map(|change| match change {
        Change::AddElements { kind, elements, .. } => Some((*kind, elements.len())),
        Change::ReplaceSet { kind, elements, .. } => Some((*kind, elements.len())),
        _ => None,
    }));
    for (index, change) in changes.iter().enumerate() {
        batch.begin_change(index);
        match change {
            Change::AddTable(table) => batch.add_table(table),
            Change::AddChain(chain, base) => batch.add_chain(chain, *base),
            Change::AddRule { chain, place, rule, .. } => batch.add_rule(chain, *place, rule),
            Change::RestoreRule { chain, rule, packets, bytes } => {
                batch.restore_rule(chain, rule, Counter { packets: *packets, bytes: *bytes });
            }
            Change::DeleteRule { chain, handle, .. } => batch.delete_rule(chain, *handle),
            Change::FlushChain { chain, .. } => batch.flush_chain(chain),
            Change::AddSet(set, kind) => {
                batch.add_set(set, *kind);
                let grants = GrantSet::named(&set.set).and_then(|set| grants.get(&set));
                batch.add_grants(set, grants.map_or(&[], Vec::as_slice), false);
            }
            Change::AddElements { set, kind, elements, .. } => {
                batch.add_elements(set, *kind, elements);
            }
            Change::ReplaceSet { set, kind, elements, .. } => {
                batch.delete_set(set);
                batch.add_set(set, *kind);
                batch.add_elements(set, *kind, elements);
            }
            Change::DeleteElements { set, kind, elements } => {
                batch.delete_elements(set, *kind, elements);
            }
            Change::AddMap(map) => batch.add_map(map),
            Change::AddTargets { map, elements } => batch.add_targets(map, elements),
            Change::DeleteTargets { map, elements } => batch.delete_targets(map, elements),
            Change::DeleteSet { set, .. } | Change::DeleteMap { map: set, .. } => {
                batch.delete_set(set);
            }
            Change::DeleteChain(chain) => batch.delete_chain(chain),
            Change::DeleteTable { table, .. } => batch.delete_table(table),
        }
    }
    batch.finalize()
}

/// Only the first error is reported: after a failed check the kernel often repeats it for every
/// later message. A conflict is reported for BEGIN, or for a message that needed a kernel module: once the
/// module is loaded, the kernel checks the generation again and starts over.
fn failure(changes: &[Change], batch: &FinalizedBatch, sequence: u32, error: KernelError) -> Error {
    match (sequence, error.errno) {
        (_, libc::ERESTART) => return Error::Conflict { attempts: 1 },
        (BEGIN_SEQUENCE, libc::EPERM) => return Error::Permission,
        _ => {}
    }
    let change = batch.change_of(sequence);
    Error::Rejected(Box::new(Rejection {
        change: change.and_then(|index| changes.get(index)).cloned(),
        attribute: error.offset.and_then(|at| describe_offset(batch.message(sequence)?, at)),
        source: error.source(),
    }))
}

/// The kernel does not answer a batch that it has committed, but it does not answer one that it did not
/// recognise as a batch either. The generation distinguishes the two.
fn confirm(before: u32, answer: &BatchAnswer) -> Result<u32, Error> {
    if answer.generation == before {
        return Err(Error::Malformed("no error for a batch that was not committed"));
    }
    Ok(next_generation(before))
}

/// The generation that a commit produces. The kernel counts up by one and skips zero.
pub(super) fn next_generation(before: u32) -> u32 {
    before.wrapping_add(1).max(1)
}

/// Whether a generation comes after another. The numbers wrap around, so the distance decides.
pub(super) fn is_later(generation: u32, other: u32) -> bool {
    generation.wrapping_sub(other).cast_signed() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_wrap_around() {
        assert!(is_later(8, 7));
        assert!(!is_later(7, 7));
        assert!(!is_later(7, 8));
        assert!(is_later(1, u32::MAX));
        assert!(!is_later(u32::MAX, 1));
    }
}
