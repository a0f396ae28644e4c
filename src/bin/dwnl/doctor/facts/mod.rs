//! What the checks know of the host. Whatever cannot be read is left out.

mod chains;
mod docker;
mod files;
mod kernel;
mod own;
mod sysctls;

pub use chains::Chains;
pub use docker::{DockerProcess, DockerProcesses};
pub use files::Files;
#[cfg(test)]
pub use files::Services;
pub use kernel::Kernel;
pub use own::{Comparison, Own, PolicyFile};
pub use sysctls::{Conntrack, Sysctls};

use dwnl::Policy;
use dwnl::model::Docker;

/// What the checks know of the host.
#[derive(Debug, Default)]
pub struct Facts {
    /// What the kernel offers and holds.
    pub kernel: Kernel,
    /// Settings of the network namespace.
    pub sysctls: Sysctls,
    /// The processes of Docker in the network namespace.
    pub processes: DockerProcesses,
    /// Files below `/etc` and `/usr`.
    pub files: Files,
    /// dwnl itself.
    pub own: Own,
}

impl Facts {
    /// What is known of Docker: with a guard, also by its sockets.
    pub fn docker(&self) -> &Docker {
        let outcome = self.own.comparison.as_ref().and_then(|it| it.outcome.as_ref().ok());
        outcome.map_or(&self.kernel.docker, |outcome| &outcome.docker)
    }

    /// The policy in force, or that of the file.
    pub fn policy(&self) -> Option<&Policy> {
        self.own.comparison.as_ref().map(|it| &it.policy)
    }

    /// Whether the policy has a guard.
    pub fn guard(&self) -> Option<bool> {
        self.policy().map(|policy| policy.guard().is_enabled())
    }

    /// Those of the interfaces that are neither bridges nor attached to one.
    pub fn uplinks(&self, interfaces: &[String]) -> Vec<String> {
        let links = &self.kernel.host.links;
        let is_inner = |name: &String| {
            let kind = links.get(name.as_str()).and_then(|link| link.kind.as_deref());
            let is_port =
                links.values().any(|it| it.ports.iter().any(|(port, _)| **port == **name));
            kind == Some("bridge") || is_port
        };
        interfaces.iter().filter(|name| !is_inner(name)).cloned().collect()
    }
}
