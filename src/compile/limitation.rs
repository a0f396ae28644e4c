//! The promises of the guard that do not hold on this host, and why.

use std::fmt;

use super::known::installed_input;
use super::sockets::installed_socket_rules;
use super::sockets::judges_all_others;
use crate::docker::is_container;
use crate::model::{Cgroup, Docker, GuardScope, HostState, NftMatch, Rule, Snapshot};

/// A promise that does not hold on this host. `Display` is a sentence that says how to close the gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limitation {
    /// Ports that Docker publishes later are open to everyone through docker-proxy until the next
    /// apply.
    NewPorts(UnknownSockets),
    /// Ports that a container with `--network=host` opens later are open until the next apply.
    HostNetwork,
}

/// Why the kernel cannot recognise Docker's sockets by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownSockets {
    /// There is no cgroup v2 hierarchy, or dwnl runs in its own cgroup namespace.
    NoHierarchy,
    /// The kernel cannot match listening sockets by their cgroup.
    NoMatch,
    /// dockerd's cgroup was not found.
    NoDaemon,
}

/// The promises that do not hold for this Docker on this host.
pub(crate) fn limitations(
    scope: &GuardScope,
    docker: &Docker,
    host: &HostState,
) -> Vec<Limitation> {
    let unknown = match &host.cgroups {
        None => Some(UnknownSockets::NoHierarchy),
        Some(_) if !host.matches_sockets => Some(UnknownSockets::NoMatch),
        Some(cgroups) if cgroups.daemons.is_empty() && !judges_all_others(scope, cgroups) => {
            Some(UnknownSockets::NoDaemon)
        }
        Some(_) => None,
    };
    let is_there = !docker.bridges.is_empty() || !docker.published.is_empty();
    let new_ports = unknown.filter(|_| is_there).map(Limitation::NewPorts);
    let is_among_services = |it: &Cgroup| {
        let cgroups = host.cgroups.iter();
        is_container(&it.path)
            && cgroups.flat_map(|it| &it.host).any(|host| host.path == it.parent())
    };
    let containers = || host.cgroups.iter().flat_map(|it| &it.containers);
    let is_late = unknown.is_some() || containers().any(is_among_services);
    let host_network = (scope.host_network && is_late).then_some(Limitation::HostNetwork);
    new_ports.into_iter().chain(host_network).collect()
}

/// Whether the installed guard also covers ports that Docker publishes later; `None` without a guard.
pub fn guards_new_ports(snapshot: &Snapshot) -> Option<bool> {
    installed_input(snapshot)?;
    let matches_socket = |rule: &Rule| {
        let conditions = rule.as_nft().into_iter().flat_map(|rule| rule.matches.iter());
        conditions.into_iter().any(|it| matches!(it, NftMatch::Cgroup(_)))
    };
    Some(installed_socket_rules(snapshot).any(matches_socket))
}

impl fmt::Display for Limitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limitation::NewPorts(why) => write!(
                f,
                "ports that Docker publishes later are open over IPv6 through docker-proxy until the \
                 next apply, because {why}; to close this gap, set `\"userland-proxy\": false` in \
                 Docker's daemon.json"
            ),
            Limitation::HostNetwork => write!(
                f,
                "ports that containers with --network=host open later are open to everyone until \
                 the next apply; to close this gap, give Docker its own slice (docs/security.md) or \
                 run `dwnl watch`"
            ),
        }
    }
}

impl fmt::Display for UnknownSockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UnknownSockets::NoHierarchy => {
                "there is no cgroup v2 hierarchy, or dwnl runs in its own cgroup namespace"
            }
            UnknownSockets::NoMatch => "this kernel cannot match listening sockets by their cgroup",
            UnknownSockets::NoDaemon => {
                "dockerd's cgroup was not found (set `docker-cgroup` in `[guard]`)"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Cgroups;

    fn cgroup(path: &str) -> Cgroup {
        Cgroup { path: path.to_owned(), id: 7 }
    }

    fn host(daemons: &[&str], containers: &[&str]) -> HostState {
        let cgroups = Cgroups {
            daemons: daemons.iter().map(|path| cgroup(path)).collect(),
            host: vec![cgroup("system.slice")],
            containers: containers.iter().map(|path| cgroup(path)).collect(),
            ..Cgroups::default()
        };
        HostState { cgroups: Some(cgroups), matches_sockets: true, ..HostState::default() }
    }

    #[test]
    fn each_gap_has_its_reason() {
        let docker = Docker { bridges: ["docker0".into()].into(), ..Docker::default() };
        let scope = GuardScope { host_cgroups: vec!["system.slice".into()], ..Default::default() };
        let found = |host: &HostState| limitations(&scope, &docker, host);
        let stock = host(&["system.slice/docker.service"], &[]);
        assert_eq!(found(&stock), []);
        assert_eq!(found(&host(&[], &[])), [Limitation::NewPorts(UnknownSockets::NoDaemon)]);
        let refused = HostState { matches_sockets: false, ..stock.clone() };
        assert_eq!(found(&refused), [Limitation::NewPorts(UnknownSockets::NoMatch)]);
        let version1 = HostState::default();
        assert_eq!(found(&version1), [Limitation::NewPorts(UnknownSockets::NoHierarchy)]);
        assert_eq!(limitations(&scope, &Docker::default(), &version1), [], "no Docker, no gap");

        let scope = GuardScope { host_network: true, ..scope.clone() };
        let scope_of = format!("system.slice/docker-{}.scope", "0".repeat(64));
        let systemd = host(&["system.slice/docker.service"], &[&scope_of]);
        assert_eq!(limitations(&scope, &docker, &systemd), [Limitation::HostNetwork]);
        let cgroupfs = host(&["system.slice/docker.service"], &["docker"]);
        assert_eq!(limitations(&scope, &docker, &cgroupfs), []);
    }
}
