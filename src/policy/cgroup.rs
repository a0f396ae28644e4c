//! The paths of control groups, below the mount point of cgroup v2: `system.slice/docker.service`.

use super::PolicyError;
use crate::model::{Name, is_invisible};

/// The path of a cgroup, without the slash with which it may begin.
pub(super) fn path(text: &str) -> Result<Name, PolicyError> {
    let path = text.strip_prefix('/').unwrap_or(text);
    let is_name = |name: &str| {
        !name.is_empty() && name != "." && name != ".." && !name.chars().any(is_invisible)
    };
    match path.split('/').all(is_name) {
        true => Ok(path.into()),
        false => Err(PolicyError::InvalidCgroup(text.into())),
    }
}

/// The name of a cgroup at the top of the hierarchy.
pub(super) fn top_level(text: &str) -> Result<Name, PolicyError> {
    let name = path(text)?;
    match name.contains('/') {
        true => Err(PolicyError::NestedCgroup(text.into())),
        false => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_the_mount_point() {
        for text in ["docker.slice", "/system.slice/docker.service", "a/b/c"] {
            assert_eq!(path(text).as_deref(), Ok(text.trim_start_matches('/')));
        }
        for text in ["", "/", "//a", "a/", "a//b", "../a", "a/./b", "a\0", "a\u{202e}b"] {
            assert_eq!(path(text), Err(PolicyError::InvalidCgroup(text.into())), "{text:?}");
        }
        assert_eq!(top_level("a/b"), Err(PolicyError::NestedCgroup("a/b".into())));
    }
}
