//! The operator's policy: who may reach which published port. Read from TOML text with
//! [`Policy::read`] and [`Policy::parse`], or built in memory by an embedding program.

mod allow;
mod cgroup;
mod diagnostic;
mod document;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod group;
mod interface;
mod issue;
mod issue_list;
mod load;
mod port;
mod read_text;
mod settings;
mod snippet;
mod source;
mod source_file;
mod suggest;
mod syntax;
mod text;

use std::path::Path;
use std::sync::Arc;

use crate::model::{AddressSpec, Interface, Location, Ports};
use issue::Issue;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use load::LoadedPolicy;

/// A policy without errors. The empty policy is valid: it blocks every published port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The `[[allow]]` entries, in the order of the file.
    pub allow: Vec<Allow>,
    /// The `[guard]` table.
    pub guard: Guard,
    /// The `[revoke]` table.
    pub revoke: Revoke,
}

/// One `[[allow]]` entry: these sources may reach these published ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// Shown as the rules' comment: 1 to [`COMMENT_MAX`](crate::model::COMMENT_MAX) bytes
    /// without control characters, unique in the policy.
    pub name: Option<Arc<str>>,
    /// The published ports, at least one.
    pub ports: Vec<Ports>,
    /// Who may reach them; `None`: anyone. `Some` has at least one source.
    pub from: Option<Vec<Group>>,
    /// The interface that the packet has to come in by; `None`: any.
    pub in_interface: Option<Interface>,
    /// The host's addresses that may be called; empty: any.
    pub to: Vec<AddressSpec>,
    /// Where the entry begins; `None` if it was not read from a file.
    pub at: Option<Location>,
}

impl Allow {
    /// An entry that lets anyone reach `ports`.
    pub fn new(ports: Vec<Ports>) -> Allow {
        Allow { name: None, ports, from: None, in_interface: None, to: Vec::new(), at: None }
    }
}

/// Sources that an entry names together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The group's name under `[sources]`; `None` for sources written in the entry itself.
    pub name: Option<Arc<str>>,
    /// The sources, shared by all entries that name the group.
    pub sources: Arc<Vec<Source>>,
}

/// One source with its place in the policy or in a source list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The addresses.
    pub addresses: AddressSpec,
    /// Where it stands; `None` if it was not read from a file.
    pub at: Option<Location>,
}

/// The `[guard]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Whether the guard is desired.
    pub enabled: bool,
    /// The bit of the connection mark that is dwnl's: exactly one bit is set. The guard uses it,
    /// and without the guard large groups do.
    pub mark: u32,
    /// Whether the ports on which containers with `--network=host` listen are judged too.
    pub host_network: bool,
    /// What becomes of new flows to a container's own address.
    pub direct_routing: DirectRouting,
    /// The cgroup in which dockerd and docker-proxy run, as a path below the mount point of cgroup
    /// v2; `None`: `docker.service`, in whichever slice it is.
    pub docker_cgroup: Option<Arc<str>>,
    /// The cgroups at the top of the hierarchy that hold services of the host's own, besides
    /// [`Guard::HOST_CGROUPS`].
    pub host_cgroups: Vec<Arc<str>>,
    /// Who may reach the ports by which the nodes of a Swarm talk to each other; `None`: anyone.
    pub swarm_peers: Option<Vec<Group>>,
}

impl Guard {
    /// Bit 13. The low half of the mark is free of Calico (its upper half), Tailscale
    /// (`0xff0000`), Kubernetes (`0x4000`, `0x8000`), Cilium (`0x0f00`) and the small numbers that
    /// Docker Swarm and strongSwan set-ups count up from.
    pub const DEFAULT_MARK: u32 = 0x2000;
    /// Where systemd puts what is not a container or a virtual machine.
    pub const HOST_CGROUPS: [&str; 3] = ["init.scope", "system.slice", "user.slice"];

    /// No guard: `DOCKER-BLOCK` and the jumps to it alone.
    pub fn off() -> Guard {
        Guard { enabled: false, ..Guard::default() }
    }
}

impl Default for Guard {
    fn default() -> Guard {
        Guard {
            enabled: true,
            mark: Guard::DEFAULT_MARK,
            host_network: false,
            direct_routing: DirectRouting::Drop,
            docker_cgroup: None,
            host_cgroups: Vec::new(),
            swarm_peers: None,
        }
    }
}

/// What becomes of new flows from outside to a container's own address, in networks that are not
/// routed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DirectRouting {
    /// They are dropped.
    #[default]
    Drop,
    /// Those that the policy allows on the port that they call go on to Docker's own rules.
    Allowed,
}

/// The `[revoke]` table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revoke {
    /// What becomes of the open flows of sources that are no longer allowed.
    pub established: Established,
}

/// What becomes of open flows whose source is no longer allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Established {
    /// They go on until they end by themselves.
    #[default]
    Keep,
    /// They are ended.
    Cut,
}

impl Policy {
    /// Reads a policy from a file, with the source lists that it names. `-` is standard input.
    ///
    /// # Errors
    /// Everything that is wrong with the file and its source lists, in their order.
    pub fn read(path: &Path) -> Result<Policy, Diagnostics> {
        LoadedPolicy::load(path).policy
    }

    /// Reads a policy from text. `file` is the name that errors give it; the paths of source
    /// lists are relative to `directory`.
    ///
    /// # Errors
    /// Everything that is wrong with the text and its source lists, in their order.
    pub fn parse(text: &str, file: &str, directory: &Path) -> Result<Policy, Diagnostics> {
        load::parse(text, file, directory).0
    }
}
