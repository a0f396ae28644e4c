//! The `[guard]` table: the paths to a container that `DOCKER-BLOCK` does not see.

use super::entry::{distinct, distinct_groups};
use super::{Group, Mark, PolicyError, cgroup};
use crate::model::Name;

/// The `[guard]` table. [`Guard::builder`] makes it; the default is a guard with all settings left
/// out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    is_enabled: bool,
    mark: Mark,
    host_network: bool,
    direct_routing: DirectRouting,
    docker_cgroup: Option<Name>,
    host_cgroups: Vec<Name>,
    swarm_peers: Option<Vec<Group>>,
}

impl Guard {
    /// Where systemd puts what is not a container or a virtual machine.
    pub const HOST_CGROUPS: [&str; 3] = ["init.scope", "system.slice", "user.slice"];

    /// A builder of a guard that is enabled.
    pub fn builder() -> GuardBuilder {
        GuardBuilder::default()
    }

    /// No guard: only `DOCKER-BLOCK` and the jumps to it are installed.
    pub fn off() -> Guard {
        Guard { is_enabled: false, ..Guard::default() }
    }

    /// Whether the guard is installed.
    pub fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    /// The bit of the connection mark that dwnl uses.
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// Whether the guard also covers the ports on which containers with `--network=host` listen.
    pub fn host_network(&self) -> bool {
        self.host_network
    }

    /// How new flows to a container's own address are treated.
    pub fn direct_routing(&self) -> DirectRouting {
        self.direct_routing
    }

    /// The cgroup in which dockerd and docker-proxy run, as a path below the mount point of cgroup
    /// v2; `None`: `docker.service`, in any slice.
    pub fn docker_cgroup(&self) -> Option<&Name> {
        self.docker_cgroup.as_ref()
    }

    /// The top-level cgroups that hold services of the host, in addition to
    /// [`Guard::HOST_CGROUPS`]; each once.
    pub fn host_cgroups(&self) -> &[Name] {
        &self.host_cgroups
    }

    /// The sources that may reach the ports of a Swarm node, at least one; `None`: not restricted.
    pub fn swarm_peers(&self) -> Option<&[Group]> {
        self.swarm_peers.as_deref()
    }

    /// The groups of the settings, to replace them.
    pub(super) fn groups_mut(&mut self) -> impl Iterator<Item = &mut Group> {
        self.swarm_peers.iter_mut().flatten()
    }
}

impl Default for Guard {
    fn default() -> Guard {
        Guard {
            is_enabled: true,
            mark: Mark::DEFAULT,
            host_network: false,
            direct_routing: DirectRouting::default(),
            docker_cgroup: None,
            host_cgroups: Vec::new(),
            swarm_peers: None,
        }
    }
}

/// How new flows from outside to a container's own address are treated, in networks that are not
/// routed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectRouting {
    /// They are dropped.
    #[default]
    Drop,
    /// Flows that an entry allows on their destination port continue to Docker's own rules.
    Allowed,
}

/// Builds a [`Guard`]. What is wrong is reported by [`GuardBuilder::build`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct GuardBuilder {
    is_disabled: bool,
    mark: Mark,
    host_network: Option<bool>,
    direct_routing: Option<DirectRouting>,
    docker_cgroup: Option<String>,
    host_cgroups: Option<Vec<String>>,
    swarm_peers: Option<Vec<Group>>,
}

impl GuardBuilder {
    /// Whether the guard is installed. Without it, only the mark can be set.
    pub fn enabled(self, is_enabled: bool) -> GuardBuilder {
        GuardBuilder { is_disabled: !is_enabled, ..self }
    }

    /// The bit of the connection mark that dwnl uses.
    pub fn mark(self, mark: Mark) -> GuardBuilder {
        GuardBuilder { mark, ..self }
    }

    /// Whether the guard also covers the ports on which containers with `--network=host` listen.
    pub fn host_network(self, is_covered: bool) -> GuardBuilder {
        GuardBuilder { host_network: Some(is_covered), ..self }
    }

    /// How new flows to a container's own address are treated.
    pub fn direct_routing(self, direct_routing: DirectRouting) -> GuardBuilder {
        GuardBuilder { direct_routing: Some(direct_routing), ..self }
    }

    /// The cgroup in which dockerd and docker-proxy run: a path below the mount point of cgroup v2.
    pub fn docker_cgroup(self, path: impl Into<String>) -> GuardBuilder {
        GuardBuilder { docker_cgroup: Some(path.into()), ..self }
    }

    /// The top-level cgroups that hold services of the host, in addition to
    /// [`Guard::HOST_CGROUPS`] and those given before.
    pub fn host_cgroups(self, names: impl IntoIterator<Item = impl Into<String>>) -> GuardBuilder {
        let mut all = self.host_cgroups.unwrap_or_default();
        all.extend(names.into_iter().map(Into::into));
        GuardBuilder { host_cgroups: Some(all), ..self }
    }

    /// Restricts the ports of a Swarm node to the sources of these groups, in addition to those
    /// given before.
    pub fn swarm_peers(self, groups: impl IntoIterator<Item = Group>) -> GuardBuilder {
        let mut peers = self.swarm_peers.unwrap_or_default();
        peers.extend(groups);
        GuardBuilder { swarm_peers: Some(peers), ..self }
    }

    /// The guard.
    ///
    /// # Errors
    /// A [`PolicyError`] if a cgroup is invalid, if the list of Swarm peers is empty, or if a
    /// setting that only the guard uses is set while the guard is disabled.
    pub fn build(self) -> Result<Guard, PolicyError> {
        if let Some(key) = self.guard_keys().next().filter(|_| self.is_disabled) {
            return Err(PolicyError::NeedsGuard(key));
        }
        if self.swarm_peers.as_ref().is_some_and(Vec::is_empty) {
            return Err(PolicyError::EmptySwarmPeers);
        }
        let host_cgroups = self.host_cgroups.unwrap_or_default();
        let host_cgroups = host_cgroups.iter().map(|name| cgroup::top_level(name));
        Ok(Guard {
            is_enabled: !self.is_disabled,
            mark: self.mark,
            host_network: self.host_network.unwrap_or_default(),
            direct_routing: self.direct_routing.unwrap_or_default(),
            docker_cgroup: self.docker_cgroup.map(|path| cgroup::path(&path)).transpose()?,
            host_cgroups: distinct(host_cgroups.collect::<Result<_, _>>()?),
            swarm_peers: self.swarm_peers.map(distinct_groups),
        })
    }

    /// The keys that are set and that only the guard uses.
    fn guard_keys(&self) -> impl Iterator<Item = &'static str> {
        [
            ("host-network", self.host_network.is_some()),
            ("direct-routing", self.direct_routing.is_some()),
            ("docker-cgroup", self.docker_cgroup.is_some()),
            ("host-cgroups", self.host_cgroups.is_some()),
            ("swarm-peers", self.swarm_peers.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, is_set)| is_set.then_some(key))
    }
}
