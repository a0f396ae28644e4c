//! Changes the sets of grants and bans. Single addresses are written without a look at what is there;
//! networks and ranges, which may not overlap, take what is there into account.

use std::collections::{BTreeMap, HashMap};

use super::read::{consistent, elements, installed};
use crate::compile::grant_set_path;
use crate::engine::connection::Connection;
use crate::engine::{ATTEMPTS_MAX, Error};
use crate::model::{
    AddressSpec, Grant, GrantAction, GrantMerge, GrantSet, Ports, Recording, merge,
};
use crate::netlink::{Batch, FinalizedBatch};

/// Maximum number of elements in one transaction.
const BATCH_MAX: usize = 10_000;
/// The generation of a batch that is committed at any.
const ANY_GENERATION: u32 = 0;

/// Adds grants and bans.
pub(super) fn add(connection: &mut Connection, grants: &[Grant]) -> Result<(), Error> {
    for (set, grants) in by_set(grants) {
        match set.has_ranges {
            false => {
                for grants in grants.chunks(BATCH_MAX) {
                    add_hosts(connection, set, grants)?;
                }
            }
            true => add_ranges(connection, set, &grants)?,
        }
    }
    Ok(())
}

/// The grants of each set, without those that a later one replaces.
fn by_set(grants: &[Grant]) -> BTreeMap<GrantSet, Vec<Grant>> {
    let mut last: HashMap<_, usize> = HashMap::with_capacity(grants.len());
    let key = |it: &Grant| (it.action, it.source, it.ports);
    for (index, grant) in grants.iter().enumerate() {
        last.insert(key(grant), index);
    }
    let mut sets: BTreeMap<GrantSet, Vec<Grant>> = BTreeMap::new();
    for (index, grant) in grants.iter().enumerate() {
        if last.get(&key(grant)) == Some(&index) {
            sets.entry(grant.set()).or_default().push(grant.clone());
        }
    }
    sets
}

/// Most are new, so it is first tried as if all of them were.
fn add_hosts(connection: &mut Connection, set: GrantSet, grants: &[Grant]) -> Result<(), Error> {
    let path = grant_set_path(set);
    let mut batch = Batch::new(ANY_GENERATION);
    batch.add_grants(&path, grants, true);
    match send(connection, &batch.finalize())? {
        None => return Ok(()),
        Some(libc::EEXIST) => {}
        Some(errno) => return Err(failure(connection, set, errno)),
    }
    // An element is deleted whether it existed or not, because it exists then.
    let mut batch = Batch::new(ANY_GENERATION);
    batch.add_grants(&path, grants, false);
    batch.delete_grants(&path, grants);
    batch.add_grants(&path, grants, true);
    match send(connection, &batch.finalize())? {
        None => Ok(()),
        Some(errno) => Err(failure(connection, set, errno)),
    }
}

fn add_ranges(connection: &mut Connection, set: GrantSet, grants: &[Grant]) -> Result<(), Error> {
    change(connection, set, |existing| {
        let mut all = existing.to_vec();
        for new in grants {
            let GrantMerge { deleted, added } = merge(&all, new);
            all.retain(|it| !deleted.contains(it));
            all.extend(added);
        }
        all
    })
    .map(drop)
}

/// Replaces the elements of a set by others, and returns those that are deleted. Starts again if the
/// ruleset changes meanwhile.
fn change(
    connection: &mut Connection,
    set: GrantSet,
    changed: impl Fn(&[Grant]) -> Vec<Grant>,
) -> Result<Vec<Grant>, Error> {
    let path = grant_set_path(set);
    for _ in 0..ATTEMPTS_MAX {
        let generation = connection.generation()?;
        let Some(existing) = consistent(connection, set, generation)? else {
            if missing(connection, set)? {
                return Err(no_guard(connection));
            }
            continue;
        };
        let desired = changed(&existing);
        let without = |all: &[Grant], others: &[Grant]| -> Vec<Grant> {
            let others: std::collections::HashSet<&Grant> = others.iter().collect();
            all.iter().filter(|it| !others.contains(it)).cloned().collect()
        };
        let (deleted, added) = (without(&existing, &desired), without(&desired, &existing));
        if deleted.is_empty() && added.is_empty() {
            return Ok(deleted);
        }
        let mut batch = Batch::new(generation);
        batch.delete_grants(&path, &deleted);
        batch.add_grants(&path, &added, true);
        match send(connection, &batch.finalize())? {
            None => return Ok(deleted),
            // An element has expired, or the ruleset has changed.
            Some(libc::ERESTART | libc::ENOENT | libc::EEXIST) => {}
            Some(errno) => return Err(failure(connection, set, errno)),
        }
    }
    Err(Error::Conflict { attempts: ATTEMPTS_MAX })
}

/// Ends what is for nothing besides these sources and ports.
pub(super) fn revoke(
    connection: &mut Connection,
    sources: &[(AddressSpec, Option<Ports>)],
    action: Option<GrantAction>,
) -> Result<Vec<Grant>, Error> {
    let (state, sets) = installed(connection)?;
    if state != Recording::Active {
        return Err(Error::NoGuard(state));
    }
    let mut ended = Vec::new();
    let is_meant = |set: &GrantSet| action.is_none_or(|action| set.action == action);
    for set in sets.into_iter().filter(is_meant) {
        let sources: Vec<_> =
            sources.iter().filter(|(source, _)| source.version() == set.version).collect();
        let is_host = |source: &AddressSpec| source.first() == source.last();
        if sources.is_empty() {
            continue;
        }
        let is_ban_of_hosts = set.action == GrantAction::Deny && !set.has_ranges;
        if is_ban_of_hosts && sources.iter().all(|(source, _)| is_host(source)) {
            let hosts = sources.iter().filter(|(_, ports)| ports.is_none());
            let hosts: Vec<Grant> = hosts.map(|(source, _)| ban(*source)).collect();
            for hosts in hosts.chunks(BATCH_MAX) {
                delete_hosts(connection, set, hosts, &mut ended)?;
            }
            continue;
        }
        ended.extend(change(connection, set, |existing| {
            let is_kept =
                |it: &&Grant| !sources.iter().any(|(source, ports)| it.is_within(source, *ports));
            existing.iter().filter(is_kept).cloned().collect()
        })?);
    }
    Ok(ended)
}

/// A ban of an address, of which only that matters.
fn ban(source: AddressSpec) -> Grant {
    let action = GrantAction::Deny;
    Grant { action, source, ports: None, remaining: None, note: None }
}

/// Deletes those of the addresses that are in the set.
fn delete_hosts(
    connection: &mut Connection,
    set: GrantSet,
    hosts: &[Grant],
    ended: &mut Vec<Grant>,
) -> Result<(), Error> {
    if hosts.is_empty() {
        return Ok(());
    }
    let mut batch = Batch::new(ANY_GENERATION);
    batch.delete_grants(&grant_set_path(set), hosts);
    match send(connection, &batch.finalize())? {
        None => {
            ended.extend_from_slice(hosts);
            Ok(())
        }
        // One of them is not there.
        Some(libc::ENOENT) => {
            let (left, right) = hosts.split_at(hosts.len() / 2);
            delete_hosts(connection, set, left, ended)?;
            if left.is_empty() { Ok(()) } else { delete_hosts(connection, set, right, ended) }
        }
        Some(errno) => Err(failure(connection, set, errno)),
    }
}

/// Empties all sets.
pub(super) fn clear(connection: &mut Connection) -> Result<usize, Error> {
    let (state, sets) = installed(connection)?;
    if state != Recording::Active {
        return Err(Error::NoGuard(state));
    }
    let mut count = 0;
    let mut batch = Batch::new(ANY_GENERATION);
    for set in sets {
        count += elements(connection, set, usize::MAX)?.grants.len();
        batch.flush_set(&grant_set_path(set));
    }
    match send(connection, &batch.finalize())? {
        None => Ok(count),
        Some(_) => Err(no_guard(connection)),
    }
}

/// Sends a batch and returns the number of its first error.
fn send(connection: &mut Connection, batch: &FinalizedBatch) -> Result<Option<i32>, Error> {
    let answer = connection.send_batch(batch)?;
    match answer.errors.first().map(|(_, error)| error.errno) {
        Some(libc::EPERM) => Err(Error::Permission),
        errno => Ok(errno),
    }
}

fn missing(connection: &mut Connection, set: GrantSet) -> Result<bool, Error> {
    Ok(!installed(connection)?.1.contains(&set))
}

fn no_guard(connection: &mut Connection) -> Error {
    match installed(connection) {
        Ok((state, _)) => Error::NoGuard(state),
        Err(error) => error,
    }
}

/// What an error of the kernel means for a set.
fn failure(connection: &mut Connection, set: GrantSet, errno: i32) -> Error {
    match errno {
        libc::ENOENT => no_guard(connection),
        libc::ENFILE => Error::TooManyGrants(set),
        _ => Error::Socket {
            action: "changing grants and bans",
            source: std::io::Error::from_raw_os_error(errno),
        },
    }
}
