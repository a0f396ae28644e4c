//! The containers that a policy is for: from Docker's API or, if it does not answer, as known last.

use std::path::Path;
use std::time::{Duration, SystemTime};

use dwnl::Policy;
use dwnl::model::{Container, Containers};
use dwnl::policy::ContainerSelector;

use crate::state::KnownContainers;

/// The maximum time to wait for Docker's API.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The labels that are stored besides those that a policy names.
const LABEL_PREFIX: &str = "dwnl.";

/// The containers that are known, and what there is to warn of.
pub struct Found {
    /// The containers.
    pub containers: Containers,
    /// When they were found first; `None` if they never were.
    pub since: Option<SystemTime>,
    /// Why they are not those of now.
    pub failure: Option<String>,
}

/// Asks Docker's API for the containers; if it does not answer, they are those that were known last.
/// Without entries by container it is not asked.
pub fn look_up(policy: &Policy, known: impl FnOnce() -> Option<KnownContainers>) -> Found {
    if !policy.needs_containers() {
        return Found { containers: Containers::default(), since: None, failure: None };
    }
    let socket = policy.docker().socket();
    match list(socket) {
        Ok(list) => Found {
            containers: Containers { list, is_current: true },
            since: Some(SystemTime::now()),
            failure: None,
        },
        Err(reason) => {
            let known = known();
            let since = known.as_ref().map(|known| known.since);
            let containers = known.map(|known| known.containers).unwrap_or_default();
            Found { containers, since, failure: Some(reason) }
        }
    }
}

impl Found {
    /// The policy with the ports that the containers publish, and what there is to warn of, one line each.
    pub fn complete(&self, policy: &Policy) -> (Policy, Vec<String>) {
        let socket = policy.docker().socket();
        let failure = self.failure.as_ref().map(|reason| unreachable(socket, reason, self.since));
        let (policy, doubts) = complete(policy, &self.containers);
        (policy, failure.into_iter().chain(doubts).collect())
    }
}

/// The policy with the ports that these containers publish, and what there is to warn of, one line each. If
/// it would need too many rules, nothing is known of the containers.
pub fn complete(policy: &Policy, containers: &Containers) -> (Policy, Vec<String>) {
    if !policy.needs_containers() {
        return (policy.clone(), Vec::new());
    }
    match policy.with_containers(containers) {
        Ok((policy, warnings)) => (policy, warnings.iter().map(ToString::to_string).collect()),
        Err(error) => {
            let warning = format!("with the ports of the containers, {error}; they are left out");
            let unknown = policy.with_containers(&Containers::default());
            (unknown.map_or_else(|_| policy.clone(), |(policy, _)| policy), vec![warning])
        }
    }
}

/// The warning about a Docker's API that does not answer.
pub fn unreachable(socket: &Path, reason: &str, since: Option<SystemTime>) -> String {
    let instead = match since {
        Some(since) => {
            let since = humantime::format_rfc3339_seconds(since);
            format!("the ports of containers are those known last, of {since}")
        }
        None => {
            "the ports of containers are not known, so entries by container allow nothing, and \
                 deny every port that they may be for"
                .to_owned()
        }
    };
    format!("cannot read Docker's API at {}: {reason}; {instead}", socket.display())
}

/// What to store of the containers: those labels alone that the policy looks at. All containers are kept:
/// see [`Policy::with_containers`]. `None` if they are not those of now.
pub fn to_store(containers: &Containers, policy: &Policy) -> Option<KnownContainers> {
    let keys: Vec<&str> = policy.containers().flat_map(ContainerSelector::label_keys).collect();
    let is_needed = |key: &str| key.starts_with(LABEL_PREFIX) || keys.contains(&key);
    let mut stored = containers.is_current.then(|| containers.clone().outdated())?;
    for container in &mut stored.list {
        container.labels.retain(|key, _| is_needed(key));
    }
    stored.list.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Some(KnownContainers { containers: stored, since: SystemTime::now() })
}

/// The running containers, or the reason why they are not known.
#[cfg(feature = "docker")]
fn list(socket: &Path) -> Result<Vec<Container>, String> {
    let api = dwnl::docker_api::DockerApi::new(socket);
    api.containers(TIMEOUT).map_err(|error| error.to_string())
}

#[cfg(not(feature = "docker"))]
fn list(_: &Path) -> Result<Vec<Container>, String> {
    Err("dwnl was built without the feature `docker`".to_owned())
}
