//! The grammar of control groups: paths below the mount point of cgroup v2, as in
//! `system.slice/docker.service`.

use std::sync::Arc;

use super::issue::{Issue, Quoted};

/// Reads the path of a cgroup; a slash in front of it does not matter.
pub(super) fn parse(text: &str) -> Result<Arc<str>, Issue> {
    let path = text.strip_prefix('/').unwrap_or(text);
    let is_name = |name: &str| {
        !name.is_empty() && name != "." && name != ".." && !name.chars().any(char::is_control)
    };
    if path.split('/').all(is_name) {
        return Ok(path.into());
    }
    Err(Issue::new(format!("{} is not the path of a cgroup", Quoted(text)))
        .help("write it as `systemctl show -P ControlGroup docker.service` prints it"))
}

/// Reads the name of a cgroup at the top of the hierarchy.
pub(super) fn parse_top(text: &str) -> Result<Arc<str>, Issue> {
    let name = parse(text)?;
    if name.contains('/') {
        return Err(Issue::new(format!("{} is not at the top of the hierarchy", Quoted(text)))
            .help("write the name of a slice or scope, as in \"machine.slice\""));
    }
    Ok(name)
}
