//! Which directory holds the state, if any.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The directory without an option and an environment variable.
pub const STATE_DIRECTORY: &str = "/var/lib/dwnl";
/// The variable in which systemd passes a directory.
const VARIABLE: &str = "STATE_DIRECTORY";

/// What decides which directory holds the state.
#[derive(Clone, Copy, Debug)]
pub struct StateOptions<'a> {
    /// The directory that the operator chose.
    pub directory: Option<&'a Path>,
    /// The network namespace to work in; `None`: that of the program.
    pub namespace: Option<&'a Path>,
}

impl StateOptions<'_> {
    /// The directory; `None`: no state is kept, because the rules are those of another network namespace
    /// than the host's.
    pub fn path(&self) -> Option<PathBuf> {
        if let Some(directory) = self.directory {
            return Some(directory.to_owned());
        }
        match (env::var_os(VARIABLE).filter(|it| !it.is_empty()), self.namespace) {
            // A service's user cannot see the namespace of process 1.
            (Some(directory), None) => Some(first(&directory.to_string_lossy())),
            (directory, _) if self.is_host().unwrap_or(false) => {
                let directory = directory.map(|it| first(&it.to_string_lossy()));
                Some(directory.unwrap_or_else(|| STATE_DIRECTORY.into()))
            }
            _ => None,
        }
    }

    /// Whether the network namespace is that of process 1.
    ///
    /// # Errors
    /// If either cannot be seen, which needs privileges.
    pub fn is_host(&self) -> io::Result<bool> {
        let namespace = self.namespace.unwrap_or(Path::new("/proc/self/ns/net"));
        let (own, host) = (fs::metadata(namespace)?, fs::metadata("/proc/1/ns/net")?);
        Ok((own.dev(), own.ino()) == (host.dev(), host.ino()))
    }
}

/// systemd separates several directories by colons.
fn first(directories: &str) -> PathBuf {
    directories.split(':').next().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_takes_precedence() {
        let namespace = Some(Path::new("/nonexistent"));
        let options = StateOptions { directory: Some(Path::new("/state")), namespace };
        assert_eq!(options.path(), Some("/state".into()));
    }

    #[test]
    fn another_network_namespace_has_no_state() {
        let namespace = Some(Path::new("/proc/self/ns/mnt"));
        assert_eq!(StateOptions { directory: None, namespace }.path(), None);
    }

    #[test]
    fn the_first_of_several_directories_is_used() {
        assert_eq!(first("/var/lib/dwnl:/var/lib/other"), Path::new("/var/lib/dwnl"));
        assert_eq!(first("/var/lib/dwnl"), Path::new("/var/lib/dwnl"));
    }
}
