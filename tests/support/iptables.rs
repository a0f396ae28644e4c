//! The iptables versions that must be able to read what dwnl writes.

use super::{Namespace, Output, unpacked};

/// One version of iptables-nft, with its own libraries.
pub struct Iptables {
    directory: String,
}

impl Iptables {
    /// Debian 11 and Ubuntu 22.04, Debian 12, Debian 13, and the newest.
    pub const VERSIONS: [&str; 4] = ["1.8.7", "1.8.9", "1.8.11", "1.8.13"];

    /// One of [`Self::VERSIONS`], as `scripts/setup` unpacked it.
    pub fn version(version: &str) -> Iptables {
        let directory = unpacked(&format!("iptables/{version}"));
        Iptables { directory: directory.to_string_lossy().into_owned() }
    }

    /// All versions.
    pub fn all() -> impl Iterator<Item = Iptables> {
        Self::VERSIONS.into_iter().map(Iptables::version)
    }

    /// Runs one of its programs and returns its standard output; panics if it fails.
    #[track_caller]
    pub fn run(&self, namespace: &Namespace, args: &[&str]) -> String {
        self.try_run(namespace, args, "").succeeded()
    }

    /// Runs one of its programs with this input.
    pub fn try_run(&self, namespace: &Namespace, args: &[&str], stdin: &str) -> Output {
        let program = format!("{}/{}", self.directory, args[0]);
        let args: Vec<&str> = [&[program.as_str()], &args[1..]].concat();
        namespace.try_run(&args, stdin)
    }
}
