//! A policy with the ports of its containers.

use super::by_container::{ByContainer, Effect, Part};
use super::diag::Quoted;
use super::entry_label::EntryLabel;
use super::{
    Allow, ContainerSelector, Deny, DockerSettings, Entry, Group, Policy, PolicyError, size,
};
use crate::model::{Binding, Container, Containers, Name, Ports};

/// The label by which a container allows groups to reach all its published ports, and, with a dot and a
/// port of the container behind it, that port alone.
const ALLOW_LABEL: &str = "dwnl.allow";
/// What begins so is meant for dwnl.
const LABEL_PREFIX: &str = "dwnl.";

/// What the containers give reason to warn of. `Display` is one sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerWarning {
    /// No running container is one of those that an entry is for.
    #[error("{entry} has no effect: no container runs with {selector}")]
    NoContainer {
        /// The entry.
        entry: EntryLabel,
        /// Its containers.
        selector: ContainerSelector,
    },
    /// The containers publish no port that the entry could be for.
    #[error("{entry} has no effect: what runs with {selector} publishes no {}port to other hosts",
        if *.is_restricted { "such " } else { "" })]
    NoPorts {
        /// The entry.
        entry: EntryLabel,
        /// Its containers.
        selector: ContainerSelector,
        /// Whether the entry lists ports or destinations.
        is_restricted: bool,
    },
    /// A label names a group that labels may not name, or that does not exist.
    #[error(
        "container {} allows nobody by label {}: group {} is not one of `label-groups`",
        Quoted(container),
        Quoted(label),
        Quoted(group)
    )]
    Group {
        /// The name of the container.
        container: Name,
        /// The key of the label.
        label: String,
        /// The group.
        group: String,
    },
    /// A label is not one that dwnl knows.
    #[error(
        "container {} has the label {}, which means nothing: use `dwnl.allow` or `dwnl.allow.PORT`",
        Quoted(container),
        Quoted(label)
    )]
    Label {
        /// The name of the container.
        container: Name,
        /// The key of the label.
        label: String,
    },
    /// A label is for a port that the container does not publish to other hosts.
    #[error(
        "container {} has the label {}, but publishes no such port to other hosts",
        Quoted(container),
        Quoted(label)
    )]
    Port {
        /// The name of the container.
        container: Name,
        /// The key of the label.
        label: String,
    },
}

impl Policy {
    /// The containers that entries are for, which [`Policy::with_containers`] needs to know.
    pub fn containers(&self) -> impl Iterator<Item = &ContainerSelector> {
        self.entries().filter_map(Entry::by_container).filter_map(ByContainer::selector)
    }

    /// Whether the policy depends on the running containers.
    pub fn needs_containers(&self) -> bool {
        self.containers().next().is_some() || self.docker().label_groups().is_some()
    }

    /// The policy in which the entries by container have the ports that these containers publish, in place
    /// of those that they had before, with what the labels of the containers allow, and what there is to
    /// warn of.
    ///
    /// If the containers are not those of now, entries allow what was known last, and deny every port that
    /// was not last known to be published by other containers.
    ///
    /// # Errors
    /// [`PolicyError::TooManyRules`].
    pub fn with_containers(
        &self,
        containers: &Containers,
    ) -> Result<(Policy, Vec<ContainerWarning>), PolicyError> {
        let mut resolver = Resolver { containers, warnings: Vec::new() };
        let deny = resolver.entries(&self.deny, Effect::Deny, Deny::with_entry);
        let mut allow = resolver.entries(&self.allow, Effect::Allow, Allow::with_entry);
        allow.extend(resolver.labels(self.docker()));
        let policy = Policy { deny, allow, ..self.clone() };
        size::check(policy.entries(), policy.guard.swarm_peers().unwrap_or_default())?;
        Ok((policy, resolver.warnings))
    }
}

struct Resolver<'c> {
    containers: &'c Containers,
    warnings: Vec<ContainerWarning>,
}

impl Resolver<'_> {
    /// The entries, with those by container replaced.
    fn entries<E: std::ops::Deref<Target = Entry> + Clone>(
        &mut self,
        entries: &[E],
        effect: Effect,
        of: impl Fn(&E, Entry) -> E,
    ) -> Vec<E> {
        let mut resolved = Vec::with_capacity(entries.len());
        for entry in entries {
            match entry.by_container() {
                None => resolved.push(entry.clone()),
                Some(by) if by.is_first() && by.selector().is_some() => {
                    let parts = by.resolve(effect, self.containers);
                    self.warn(entry, by, &parts);
                    resolved.extend(parts.into_iter().map(|part| of(entry, entry.with_part(part))));
                }
                Some(_) => {}
            }
        }
        resolved
    }

    fn warn(&mut self, entry: &Entry, by: &ByContainer, parts: &[Part]) {
        let Some(selector) = by.selector().filter(|_| self.containers.is_current) else { return };
        if parts.iter().any(|part| !part.ports.is_empty()) {
            return;
        }
        let (entry, selector) = (entry.label(), selector.clone());
        let runs = self.containers.list.iter().any(|it| selector.matches(it));
        let is_restricted = !by.listed_ports().is_empty() || !by.listed_destinations().is_empty();
        self.warnings.push(match runs {
            true => ContainerWarning::NoPorts { entry, selector, is_restricted },
            false => ContainerWarning::NoContainer { entry, selector },
        });
    }

    /// The entries that labels of containers ask for, in the order of the containers' names.
    fn labels(&mut self, settings: &DockerSettings) -> Vec<Allow> {
        let Some(groups) = settings.label_groups() else { return Vec::new() };
        let mut containers: Vec<&Container> = self.containers.list.iter().collect();
        containers.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut entries = Vec::new();
        for container in containers {
            for (key, value) in
                container.labels.iter().filter(|(it, _)| it.starts_with(LABEL_PREFIX))
            {
                let Some(port) = LabelPort::of(key) else {
                    let (container, label) = (container.name.clone(), key.clone());
                    self.warnings.push(ContainerWarning::Label { container, label });
                    continue;
                };
                let from = self.label_groups(container, key, value, groups);
                entries.extend(self.label_entries(container, key, port, &from, settings));
            }
        }
        entries
    }

    /// The groups that a label names, as far as it may.
    fn label_groups(
        &mut self,
        container: &Container,
        key: &str,
        value: &str,
        permitted: &[Group],
    ) -> Vec<Group> {
        let mut from = Vec::new();
        for name in value.split(',').map(str::trim) {
            match permitted.iter().find(|group| group.name().is_some_and(|it| **it == *name)) {
                Some(group) => from.push(group.clone()),
                None => self.warnings.push(ContainerWarning::Group {
                    container: container.name.clone(),
                    label: key.to_owned(),
                    group: name.to_owned(),
                }),
            }
        }
        from
    }

    fn label_entries(
        &mut self,
        container: &Container,
        key: &str,
        port: LabelPort,
        from: &[Group],
        settings: &DockerSettings,
    ) -> Vec<Allow> {
        if from.is_empty() {
            return Vec::new();
        }
        let parts = ByContainer::of_labels(container, |it| port.is(it));
        let parts: Vec<Part> = parts.into_iter().filter(|it| !it.ports.is_empty()).collect();
        if parts.is_empty() && self.containers.is_current {
            let (container, label) = (container.name.clone(), key.to_owned());
            self.warnings.push(ContainerWarning::Port { container, label });
        }
        let name = format!("container {}", container.name);
        let entry = |part| Allow::of_labels(&name, from, settings.at().cloned(), part);
        parts.into_iter().filter_map(entry).collect()
    }
}

/// The ports that a label is for.
#[derive(Clone, Copy)]
enum LabelPort {
    All,
    /// One port of the container.
    One(Ports),
}

impl LabelPort {
    /// `dwnl.allow`, `dwnl.allow.443`, `dwnl.allow.53/udp`; `None` for another label.
    fn of(key: &str) -> Option<LabelPort> {
        match key.strip_prefix(ALLOW_LABEL)? {
            "" => Some(LabelPort::All),
            rest => rest.strip_prefix('.')?.parse().ok().map(LabelPort::One),
        }
    }

    fn is(self, binding: &Binding) -> bool {
        let Binding { protocol, container_port, .. } = *binding;
        match self {
            LabelPort::All => true,
            LabelPort::One(ports) => ports.has(protocol, container_port),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const POLICY: &str = r#"
[sources]
office = ["198.51.100.7"]
cdn = ["203.0.113.0/24", "2001:db8::/64"]
admin = ["192.0.2.9"]

[[deny]]
label = "tier=back"
from = ["cdn"]

[[allow]]
name = "api"
compose = "shop/api"
ports = ["80-90"]
from = ["cdn"]

[[allow]]
ports = ["443"]

[[allow]]
container = "web"
to = ["192.0.2.1"]

[docker]
socket = "/run/proxy.sock"
labels = true
label-groups = ["office", "cdn"]
"#;

    fn policy(text: &str) -> Policy {
        Policy::parse(text, "p.toml", Path::new("")).expect("a policy")
    }

    /// `web 80->8080/tcp,...` with labels.
    fn container(name: &str, labels: &[(&str, &str)], ports: &[(&str, u16, u16)]) -> Container {
        let binding = |(address, host_port, container_port): &(&str, u16, u16)| Binding {
            protocol: crate::model::Protocol::Tcp,
            host_port: *host_port,
            container_port: *container_port,
            address: address.parse().expect("an address"),
        };
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Container {
            name: name.into(),
            labels: labels.collect(),
            ports: ports.iter().map(binding).collect(),
        }
    }

    fn resolve(policy: &Policy, list: Vec<Container>) -> (Policy, Vec<String>) {
        let containers = Containers { list, is_current: true };
        let (policy, warnings) = policy.with_containers(&containers).expect("few rules");
        (policy, warnings.iter().map(ToString::to_string).collect())
    }

    /// `name: ports` of each entry.
    fn entries(policy: &Policy) -> Vec<String> {
        let text = |entry: &Entry| {
            let join = |texts: Vec<String>| texts.join(",");
            let name = entry.name().map(|name| name.to_string()).unwrap_or_default();
            let ports = join(entry.ports().iter().map(ToString::to_string).collect());
            let to = join(entry.to().iter().map(ToString::to_string).collect());
            let from = entry.from().into_iter().flatten().filter_map(Group::name);
            let from = join(from.map(ToString::to_string).collect());
            format!("{name}: {ports} to {to} from {from}")
        };
        policy.entries().map(text).collect()
    }

    #[test]
    fn entries_get_the_ports_of_their_containers_and_lose_them_again() {
        let policy = policy(POLICY);
        let unknown = [
            ": 1-65535/tcp,1-65535/udp,1-65535/sctp to  from cdn",
            "api:  to  from cdn",
            ": 443/tcp to  from ",
            ":  to 192.0.2.1 from ",
        ];
        assert_eq!(entries(&policy), unknown);
        let api = [("com.docker.compose.project", "shop"), ("com.docker.compose.service", "api")];
        let list = vec![
            container("shop-api-2", &api, &[("0.0.0.0", 82, 80), ("::", 82, 80), ("::", 99, 1)]),
            container("shop-api-1", &api, &[("0.0.0.0", 81, 80), ("::", 81, 80)]),
            container("web", &[("tier", "back")], &[("0.0.0.0", 8080, 80)]),
        ];
        let (resolved, warnings) = resolve(&policy, list);
        let expected = [
            ": 8080/tcp to  from cdn",
            "api: 81-82/tcp to  from cdn",
            ": 443/tcp to  from ",
            ": 8080/tcp to 192.0.2.1 from ",
        ];
        assert_eq!(entries(&resolved), expected);
        assert!(warnings.is_empty(), "{warnings:?}");
        let by = resolved.allow()[0].by_container().expect("containers");
        assert_eq!(
            by.containers().iter().map(|it| &**it).collect::<Vec<_>>(),
            ["shop-api-1", "shop-api-2"]
        );
        assert_eq!(by.publishers(crate::model::Protocol::Tcp, 82).len(), 1);
        let (empty, warnings) = resolve(&resolved, Vec::new());
        assert_eq!(
            entries(&empty)[..2],
            [": to  from cdn".replace(": to", ":  to"), "api:  to  from cdn".into()]
        );
        assert_eq!(
            warnings,
            [
                "the entry at p.toml:7:1 has no effect: no container runs with label `tier=back`",
                "entry `api` at p.toml:11:1 has no effect: no container runs with compose `shop/api`",
                "the entry at p.toml:20:1 has no effect: no container runs with container `web`",
            ]
        );
        let last = resolved.with_containers(&Containers::default()).expect("few rules").0;
        assert_eq!(entries(&last), unknown);
    }

    #[test]
    fn what_is_found_is_not_written() {
        let policy = policy(POLICY);
        let both = [("192.0.2.1", 80, 80), ("192.0.2.2", 81, 80), ("0.0.0.0", 82, 82)];
        let labels = [("dwnl.allow", "office"), ("tier", "back")];
        let (resolved, _) = resolve(&policy, vec![container("web", &labels, &both)]);
        assert_ne!(entries(&resolved), entries(&policy));
        assert_eq!(resolved.to_toml(), policy.to_toml());
        let read = Policy::parse(&policy.to_toml(), "p.toml", Path::new("")).expect("a policy");
        assert_eq!(read.to_toml(), policy.to_toml());
        assert_eq!(entries(&read), entries(&policy));
        assert_eq!(read.docker().socket(), Path::new("/run/proxy.sock"));
    }

    #[test]
    fn labels_allow_permitted_groups() {
        let policy = policy(POLICY);
        let labels = [
            ("dwnl.allow", "office"),
            ("dwnl.allow.80", "cdn, office"),
            ("dwnl.allow.53/udp", "cdn"),
            ("dwnl.allow.81", "admin,nobody,,cdn"),
            ("dwnl.deny", "cdn"),
            ("dwnl.allow.x", "cdn"),
            ("dwnlallow", "cdn"),
        ];
        let ports = [("0.0.0.0", 8080, 80), ("::", 8080, 80), ("127.0.0.1", 8081, 81)];
        let other = container("z", &[("dwnl.allow", "office")], &[]);
        let (resolved, warnings) = resolve(&policy, vec![other, container("web", &labels, &ports)]);
        let found = entries(&resolved);
        let of_labels: Vec<_> = found.iter().filter(|it| it.starts_with("container ")).collect();
        let expected = [
            "container web: 8080/tcp to  from office",
            "container web: 8080/tcp to  from cdn,office",
        ];
        assert_eq!(of_labels, expected);
        let about = |text: &str| warnings.iter().filter(|it| it.contains(text)).count();
        assert_eq!((about("group `admin`"), about("group `nobody`"), about("group ``")), (1, 1, 1));
        assert_eq!((about("label `dwnl.deny`"), about("label `dwnl.allow.x`")), (1, 1));
        assert_eq!((about("publishes no such port"), about("dwnlallow")), (3, 0));
        let off = policy.to_toml().replace("labels = true\nlabel-groups", "# ");
        let off = off.split("[docker]").next().unwrap_or_default().to_owned();
        let off = Policy::parse(&off, "p.toml", Path::new("")).expect("a policy");
        let (resolved, warnings) = resolve(&off, vec![container("web", &labels, &ports)]);
        assert!(entries(&resolved).iter().all(|it| !it.starts_with("container ")));
        assert!(warnings.iter().all(|it| !it.contains("dwnl.")));
    }

    #[test]
    fn too_many_rules_are_an_error() {
        let text = "[[allow]]\ncontainer = 'web'\nfrom = ['192.0.2.1', '192.0.2.2', '::1']\n";
        let ports: Vec<_> = (0..32_768).map(|half| ("0.0.0.0", half * 2 + 1, 80)).collect();
        let list = vec![container("web", &[], &ports), container("web", &[], &[("::", 1, 80)])];
        let found = policy(text).with_containers(&Containers { list, is_current: true });
        assert!(matches!(found, Err(PolicyError::TooManyRules { .. })));
    }
}
