//! The names by which the cgroups of Docker and of its containers are known.

/// The names of dockerd's cgroup as a systemd service: of the packages, and of the snap.
pub(crate) const DAEMONS: [&str; 2] = ["docker.service", "snap.docker.dockerd.service"];

/// The cgroup below which dockerd puts containers with cgroupfs as its cgroup driver.
pub(crate) const CGROUPFS_PARENT: &str = "docker";

/// Whether Docker gives a container this path: `…/docker-ID.scope` with systemd as its cgroup driver,
/// `…/docker/ID` with cgroupfs, and `PARENT/ID` where `--cgroup-parent` names another parent.
pub fn is_container(path: &str) -> bool {
    let mut above = "";
    let mut last_is_id = false;
    for component in path.split('/') {
        last_is_id = is_container_id(component);
        if is_scope(component) || (above == "docker" && last_is_id) {
            return true;
        }
        above = component;
    }
    last_is_id
}

fn is_scope(component: &str) -> bool {
    let id = component.strip_prefix("docker-").and_then(|rest| rest.strip_suffix(".scope"));
    id.is_some_and(is_container_id)
}

fn is_container_id(component: &str) -> bool {
    component.len() == 64 && component.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn containers_are_known_by_the_ids_in_their_paths() {
        let containers = [
            format!("system.slice/docker-{ID}.scope"),
            format!("system.slice/docker-{ID}.scope/init"),
            format!("docker/{ID}"),
            format!("docker/{ID}/system.slice/nginx.service"),
            format!("parent/{ID}"),
            format!("docker.slice/docker-{ID}.scope"),
        ];
        for path in containers {
            assert!(is_container(&path), "{path}");
        }
        let upper = ID.to_uppercase();
        let others = [
            String::new(),
            "docker".into(),
            "system.slice/docker.service".into(),
            "system.slice/docker-0123.scope".into(),
            format!("machine.slice/libpod-{ID}.scope"),
            format!("parent/{ID}/child"),
            format!("mydocker/{ID}/child"),
            format!("docker/{upper}"),
            format!("docker/{}", &ID[1..]),
            format!("docker-{ID}"),
        ];
        for path in others {
            assert!(!is_container(&path), "{path}");
        }
    }
}
