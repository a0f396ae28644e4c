//! The changes for one map of ports. Its elements refer to chains, so they are added once these exist, and
//! deleted before these are.

use std::sync::Arc;

use super::Change;
use crate::model::{PortMap, PortTarget};

/// Appends the changes that turn the installed elements into the desired ones, deletions first, and returns
/// how many remain.
pub(super) fn push(
    desired: &PortMap,
    installed: &[PortTarget],
    changes: &mut Vec<Change>,
) -> usize {
    let difference = |list, without| -> Arc<[PortTarget]> {
        PortTarget::difference(list, without).cloned().collect()
    };
    let removed = difference(installed, &desired.elements);
    let added = difference(&desired.elements, installed);
    let unchanged = installed.len() - removed.len();
    let map = || Arc::clone(&desired.path);
    if !removed.is_empty() {
        changes.push(Change::DeleteTargets { map: map(), elements: removed });
    }
    if !added.is_empty() {
        changes.push(Change::AddTargets { map: map(), elements: added });
    }
    unchanged
}
