//! Stored policies are read back, and damaged ones are not.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;
use crate::policy::strategies::policy;

fn metadata(source: &str, seconds: u64) -> Metadata {
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    Metadata::new(Path::new(source), "apply", time, 0).with_login_uid(Some(1000))
}

fn decode(bytes: &[u8]) -> Result<StoredPolicy, StateError> {
    StoredPolicy::from_bytes(bytes.to_vec())
}

fn stored() -> Vec<u8> {
    let policy = Policy::parse("[[allow]]\nports = [\"443/tcp\"]\n", "p", Path::new(""));
    let policy = policy.expect("a policy");
    let metadata = metadata("/etc/dwnl/policy.toml", 1_764_226_400);
    NewPolicy::new(&policy, metadata).to_bytes().expect("a small policy")
}

proptest! {
    #[test]
    fn stored_policies_are_read_back(
        policy in policy(), source in any::<String>(), seconds in any::<u64>(),
    ) {
        let metadata = metadata(&source, seconds >> 16);
        let new = NewPolicy::new(&policy, metadata.clone());
        let bytes = new.to_bytes().expect("a small policy");
        prop_assert_eq!(new.metadata(), &metadata);
        let stored = decode(&bytes).expect("a stored policy");
        prop_assert_eq!(stored.metadata(), &metadata);
        prop_assert_eq!(stored.as_bytes(), bytes);
        prop_assert_eq!(stored.policy_text(), policy.to_toml());
        let policy = stored.policy("policy.applied").expect("a policy");
        prop_assert_eq!(stored.policy_text(), policy.to_toml());
    }

    #[test]
    fn policies_have_the_same_fingerprint_if_they_have_the_same_text(
        first in policy(), second in policy(),
    ) {
        let read = Policy::parse(&first.to_toml(), "policy.applied", Path::new(""));
        let read = read.expect("a policy");
        prop_assert_eq!(fingerprint(&first), fingerprint(&read));
        let is_same = first.to_toml() == second.to_toml();
        let new = |policy| NewPolicy::new(policy, metadata("p", 0));
        let stored = decode(&new(&first).to_bytes().expect("a small policy")).expect("a stored policy");
        prop_assert!(new(&read).is_stored_as(&stored));
        prop_assert_eq!(new(&second).is_stored_as(&stored), is_same);
        prop_assert_eq!(fingerprint(&first) == fingerprint(&second), is_same);
    }

    #[test]
    fn a_changed_byte_is_noticed(at in any::<prop::sample::Index>(), flip in 1..=u8::MAX) {
        let mut bytes = stored();
        bytes[at.index(stored().len())] ^= flip;
        prop_assert!(decode(&bytes).is_err());
    }
}

#[test]
fn the_form_is_that_of_a_policy_file() {
    let bytes = stored();
    let text = str::from_utf8(&bytes).expect("UTF-8");
    let (header, body) = text.split_once('\n').expect("a line");
    assert!(header.starts_with("# dwnl-state 1 sha256:"), "{header}");
    assert!(header.ends_with(" 000000153"), "{header}");
    let expected = "# source = \"/etc/dwnl/policy.toml\"\n# applied-at = \"2025-11-27T06:53:20Z\"\n\
                    # command = \"apply\"\n# uid = 0\n# login-uid = 1000\n\n\
                    [[allow]]\nports = [\"443/tcp\"]\n";
    assert_eq!(body, expected);
    let policy = decode(&bytes).expect("a stored policy").policy("policy.applied");
    let policy = policy.expect("a policy");
    let at = policy.allow()[0].at().expect("a location").to_string();
    assert_eq!(at, "policy.applied:8:1");
    assert_eq!(Policy::parse(text, "policy.applied", Path::new("")), Ok(policy));
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_not_read() {
    let bytes = stored();
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length]).is_err(), "{length}");
    }
    assert!(matches!(decode(&[&bytes[..], b"\n"].concat()), Err(StateError::Length { .. })));
}

#[test]
fn errors_name_what_is_wrong() {
    let error = |bytes: &[u8]| decode(bytes).expect_err("an error").to_string();
    assert_eq!(error(b""), "not a stored policy");
    assert_eq!(error(b"[[allow]]\n"), "not a stored policy");
    assert_eq!(error(b"# dwnl-state 2 x\n"), "unknown format version `2`");
    assert_eq!(error(seal("# uid = 0\n").as_bytes()), "missing or invalid `end`");
    assert_eq!(error(seal("uid = 0\n\n").as_bytes()), "missing or invalid `comment`");
    assert_eq!(error(seal("# uid = 0\n\n").as_bytes()), "missing or invalid `applied-at`");
    let changed = str::from_utf8(&stored()).expect("UTF-8").replace("443", "444");
    assert_eq!(error(changed.as_bytes()), "wrong checksum");
}
