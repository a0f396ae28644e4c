//! Digests by which hosts can be compared: of a policy, and of the files that it was read from.
//!
//! Both are SHA-256, written as `sha256:` and 64 hexadecimal digits. Their input begins with a line that
//! names its form, so that another form has other digests.

use std::fmt;

use sha2::{Digest, Sha256};

use super::hex;
use crate::Policy;

/// The digest of a policy with its source files. It depends on what the policy says: its entries in their
/// order, with their names and those of groups, and every setting.
///
/// It does not depend on paths, comments and the form of the text, on the order and repetition of values in
/// a list, on how the addresses of a group are divided into networks and ranges, on groups that no entry
/// uses, and on what was looked up: addresses of names and ports of containers.
pub fn policy_digest(policy: &Policy) -> String {
    let mut hash = Hashed(Sha256::new_with_prefix(b"dwnl policy 1\n"));
    policy.write_canonical_toml(&mut hash);
    text(hash.0)
}

/// The digest of the files that a policy is read from: pass it what [`LoadedPolicy::load_observed`] passes
/// on. It depends on each byte of them, and not on their paths.
///
/// [`LoadedPolicy::load_observed`]: crate::policy::LoadedPolicy::load_observed
#[derive(Clone, Default)]
pub struct SourceDigest(Option<Sha256>);

impl SourceDigest {
    /// Adds the text of a file.
    pub fn add(&mut self, file: &str) {
        let hash = self.0.get_or_insert_with(|| Sha256::new_with_prefix(b"dwnl source 1\n"));
        hash.update((file.len() as u64).to_le_bytes());
        hash.update(file);
    }

    /// The digest; `None` if not even the policy could be read.
    pub fn finish(self) -> Option<String> {
        self.0.map(text)
    }
}

/// The hash of what is written.
struct Hashed(Sha256);

impl fmt::Write for Hashed {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text);
        Ok(())
    }
}

fn text(hash: Sha256) -> String {
    format!("sha256:{}", hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::LoadedPolicy;

    fn digest(policy: &str) -> String {
        policy_digest(&Policy::parse(policy, "policy.toml", Path::new("")).expect("a policy"))
    }

    const POLICY: &str = r#"
        [sources]
        office = ["198.51.100.0/24", "2001:db8::/32"]
        [[allow]]
        name = "web"
        ports = ["443", "80", "443/udp"]
        from = ["office", "192.0.2.0/25", "192.0.2.128/25", "203.0.113.9"]
        [[allow]]
        ports = ["22"]
        from = ["office"]
    "#;

    #[test]
    fn what_has_no_meaning_does_not_count() {
        let expected = digest(POLICY);
        assert!(expected.starts_with("sha256:") && expected.len() == 7 + 64, "{expected}");
        for (from, to) in [
            ("[sources]", "# a comment\n[sources]\nunused = [\"10.0.0.1\"]"),
            (r#""443", "80", "443/udp""#, r#""443/udp", "80/tcp", "443/tcp", "80""#),
            (r#""office", "192.0.2.0/25", "192.0.2.128/25""#, r#""192.0.2.0/24", "office""#),
            (r#""198.51.100.0/24", "2"#, r#""198.51.100.0-198.51.100.255", "198.51.100.7", "2"#),
            ("[[allow]]\n        ports", "[guard]\nenabled = true\n[[allow]]\nports"),
        ] {
            let other = POLICY.replace(from, to);
            assert_ne!(other, POLICY, "{from}");
            assert_eq!(digest(&other), expected, "{other}");
        }
    }

    #[test]
    fn what_has_a_meaning_counts() {
        let expected = digest(POLICY);
        for (from, to) in [
            ("203.0.113.9", "203.0.113.8"),
            ("\"443\", ", ""),
            ("\"web\"", "\"www\""),
            ("2001:db8::/32", "2001:db8::/33"),
            ("ports = [\"22\"]", "ports = [\"22\"]\nin-interface = \"eth0\""),
            ("[sources]", "[guard]\nenabled = false\n[sources]"),
            ("[sources]", "[revoke]\nestablished = \"cut\"\n[sources]"),
            ("office", "branch"),
        ] {
            let other = POLICY.replace(from, to);
            assert_ne!(other, POLICY, "{from}");
            assert_ne!(digest(&other), expected, "{other}");
        }
    }

    #[test]
    fn the_canonical_text_is_a_policy_with_the_same_digest() {
        let policy = Policy::parse(POLICY, "policy.toml", Path::new("")).expect("a policy");
        let mut canonical = String::new();
        policy.write_canonical_toml(&mut canonical);
        for text in [canonical, policy.to_toml()] {
            assert_eq!(digest(&text), policy_digest(&policy), "{text}");
        }
    }

    #[test]
    fn the_source_is_the_bytes_of_all_files_wherever_they_are() {
        const TEXT: &str = "[[allow]]\nports = [\"1\"]\nfrom = [\"a\", \"b\"]\n\
                            [sources]\na = { file = \"a.txt\" }\nb = { file = \"b.txt\" }\n";
        let source = |text: &str, a: &str, b: &str| {
            let directory = tempfile::TempDir::new().expect("a directory");
            let path = directory.path().join("policy.toml");
            for (name, text) in [("policy.toml", text), ("a.txt", a), ("b.txt", b)] {
                std::fs::write(directory.path().join(name), text).expect("to write");
            }
            let mut digest = SourceDigest::default();
            LoadedPolicy::load_observed(&path, directory.path(), &mut |file| digest.add(file));
            digest.finish().expect("a digest")
        };
        let (a, b) = ("192.0.2.1\n", "192.0.2.2\n192.0.2.3\n");
        let expected = source(TEXT, a, b);
        assert_eq!(source(TEXT, a, b), expected);
        for (text, a, b) in [
            (&*format!("{TEXT}#\n"), a, b),
            (TEXT, "192.0.2.1\n#\n", b),
            (TEXT, "192.0.2.1\n192.0.2.2\n", "192.0.2.3\n"),
            (TEXT, "x\n", b),
        ] {
            assert_ne!(source(text, a, b), expected);
        }
        let mut none = SourceDigest::default();
        let path = Path::new("/nonexistent/policy.toml");
        LoadedPolicy::load_observed(path, Path::new(""), &mut |file| none.add(file));
        assert_eq!(none.finish(), None);
    }
}
