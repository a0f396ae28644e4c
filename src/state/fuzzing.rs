//! Stored policies from any bytes.

#![allow(clippy::expect_used)]

use super::{NewPolicy, StateError, StoredPolicy, seal};
use crate::Policy;
use crate::policy::Diagnostics;

/// What the files say that consist of these bytes, and of a valid first line with these bytes behind
/// it.
pub fn read(bytes: &[u8]) -> impl Iterator<Item = Result<StoredPolicy, StateError>> {
    let sealed = str::from_utf8(bytes).ok().map(seal).map(String::into_bytes);
    [Some(bytes.to_vec()), sealed].into_iter().flatten().map(StoredPolicy::from_bytes)
}

/// The policy that is stored. If it is valid, it is the same after it was stored once more.
pub fn policy(stored: &StoredPolicy) -> Result<Policy, Diagnostics> {
    let policy = stored.policy("policy.applied")?;
    let again = NewPolicy::new(&policy, stored.metadata().clone());
    let bytes = again.to_bytes().expect("a small policy");
    let read = StoredPolicy::from_bytes(bytes).expect("a stored policy");
    assert!(again.is_stored_as(&read));
    assert_eq!(read.metadata(), again.metadata());
    assert_eq!(read.policy("policy.applied").expect("a policy").to_toml(), policy.to_toml());
    Ok(policy)
}
