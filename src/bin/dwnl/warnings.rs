//! Warnings: what the operator has to take care of, because the policy cannot.

use dwnl::engine::{Outcome, Preview};
use dwnl::mismatch::{DropCause, Mismatch, mismatches};
use dwnl::model::{Docker, ForeignTranslations, Interface, Name, Ports};
use dwnl::policy::EntryLabel;
use dwnl::{Engine, Error, Limitation, Policy, blocked_swarm_ports, unprotected_ports};

use crate::report::{Count, some_ports};

/// The warnings for a policy that was applied, or would be, with this outcome.
pub fn warnings(policy: &Policy, outcome: &Outcome) -> Vec<String> {
    let mut warnings = besides_limitations(policy, outcome);
    warnings.extend(outcome.limitations.iter().map(Limitation::to_string));
    warnings
}

/// The same without the promises of the guard that do not hold on this host.
pub fn besides_limitations(policy: &Policy, outcome: &Outcome) -> Vec<String> {
    let Outcome { plan, docker, .. } = outcome;
    let translations = plan.foreign_translations.iter().filter(|it| !it.is_left_out());
    translations
        .map(ForeignTranslations::to_string)
        .chain(unprotected(policy, docker))
        .chain(shared_bridges(policy, docker))
        .chain(unreadable(docker))
        .chain(blocked_swarm(policy, docker))
        .collect()
}

/// The warnings of `plan`.
pub fn plan_warnings(policy: &Policy, preview: &Preview) -> Vec<String> {
    let unread = |error: &Error| format!("cannot read the flows in conntrack: {error}");
    let mut warnings = warnings(policy, &preview.outcome);
    warnings.extend(preview.conntrack.as_ref().err().map(unread));
    warnings
}

fn unprotected(policy: &Policy, docker: &Docker) -> Option<String> {
    let ports = unprotected_ports(policy, docker);
    (!ports.is_empty()).then(|| {
        format!(
            "unprotected while the guard is off: {}; Docker publishes these ports with its nftables \
             backend or in routed networks, which DOCKER-BLOCK does not cover",
            some_ports(&ports)
        )
    })
}

fn shared_bridges(policy: &Policy, docker: &Docker) -> impl Iterator<Item = String> {
    let bridges = docker.shared_bridges.iter().filter(|_| policy.guard().is_enabled());
    bridges.map(|(bridge, ports)| {
        let ports: Vec<&str> = ports.iter().map(Name::as_ref).collect();
        format!(
            "Docker's bridge {bridge} also has ports that Docker did not add ({}); the guard filters \
             traffic from this bridge, including its containers, like traffic from outside",
            ports.join(", ")
        )
    })
}

fn blocked_swarm(policy: &Policy, docker: &Docker) -> Option<String> {
    let ports = blocked_swarm_ports(policy, docker);
    (!ports.is_empty()).then(|| {
        format!(
            "the guard blocks the other nodes of this Swarm, which connect to {}; add them to \
             `swarm-peers` in `[guard]`",
            some_ports(&ports)
        )
    })
}

fn unreadable(docker: &Docker) -> Option<String> {
    let first = docker.unreadable.first()?;
    let rules = match docker.unreadable.len() - 1 {
        0 => format!("a rule in {first}"),
        others => format!("{}, such as one in {first}", Count(others + 1, "rule")),
    };
    Some(format!("cannot determine which ports Docker publishes with {rules}"))
}

/// The warnings for what the policy allows without effect on this host, for a command that looks once.
/// If the host cannot be read, that is the only one.
pub fn host_warnings(engine: &mut Engine, policy: &Policy, docker: &Docker) -> Vec<String> {
    match engine.host_facts(policy) {
        Ok(host) => sentences(&mismatches(policy, docker, &host)),
        Err(error) => vec![host_unread(&error)],
    }
}

/// The host could not be read.
pub fn host_unread(error: &Error) -> String {
    format!("cannot compare the policy with the host: {error}")
}

/// One for each mismatch, but a single one for all ports that are simply not published.
fn sentences(mismatches: &[Mismatch]) -> Vec<String> {
    let unpublished = mismatches.iter().filter_map(|mismatch| match mismatch {
        Mismatch::NotPublished { ports, published_as } if published_as.is_empty() => Some(ports),
        _ => None,
    });
    let unpublished: Vec<String> = unpublished.map(Ports::to_string).collect();
    let one = (!unpublished.is_empty()).then(|| {
        format!("Docker does not publish {}, which the policy allows", some(&unpublished))
    });
    one.into_iter().chain(mismatches.iter().filter_map(sentence)).collect()
}

/// `None` for ports that are simply not published.
pub fn sentence(mismatch: &Mismatch) -> Option<String> {
    Some(match mismatch {
        Mismatch::NotPublished { ports, published_as } => {
            let published: Vec<String> = published_as.iter().map(Ports::to_string).collect();
            if published.is_empty() {
                return None;
            }
            format!(
                "Docker does not publish {ports}, which the policy allows: {} is the container's \
                 port; it is published as {}",
                ports.first(),
                some(&published)
            )
        }
        Mismatch::NoInterface { entry, interface } => {
            format!("the host has no interface {}, which {entry} names", name(interface))
        }
        Mismatch::NoAddress { entry, addresses } => {
            format!("the host has no address in {addresses}, which `to` of {entry} lists")
        }
        Mismatch::Dropped { chain, cause, entries } => {
            let entries: Vec<String> = entries.iter().map(EntryLabel::to_string).collect();
            format!("{chain} drops {}, which {} allows", dropped(cause), some(&entries))
        }
        _ => return None,
    })
}

/// What a chain drops: `everything that comes in by eth0 except from 192.0.2.0/24`.
fn dropped(cause: &DropCause) -> String {
    let DropCause::Rule { in_interface, source } = cause else {
        return "what reaches its end (policy drop)".to_owned();
    };
    let interface = match in_interface {
        Some(interface) if interface.is_negated() => {
            format!(" that does not come in by {}", name(interface))
        }
        Some(interface) => format!(" that comes in by {}", name(interface)),
        None => String::new(),
    };
    let source = match source {
        Some(source) if source.negated => format!(" except from {}", source.network),
        Some(source) => format!(" from {}", source.network),
        None => String::new(),
    };
    format!("everything{interface}{source}")
}

/// The interface without `!`.
fn name(interface: &Interface) -> String {
    interface.to_string().trim_start_matches('!').to_owned()
}

/// The first words of a list, and the number of the others.
fn some(words: &[String]) -> String {
    const SHOWN_MAX: usize = 5;
    let shown = words.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
    match words.len().saturating_sub(SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use dwnl::Plan;
    use dwnl::mismatch::HostFacts;
    use dwnl::model::{
        AddressMatch, Family, Ports, Protocol, PublishedPort, ReturnRule, TablePath,
    };
    use dwnl::policy::Guard;

    use super::*;

    #[test]
    fn each_warning_names_its_subject() {
        let ports = Ports::new(Protocol::Tcp, 8080, 8081).expect("ports");
        let port = PublishedPort { address: None, family: Family::Inet, ports };
        let docker = Docker {
            published: [port.clone()].into(),
            native: [port].into(),
            shared_bridges: [("br0".into(), vec!["eth0".into(), "tap0".into()])].into(),
            unreadable: ["ip docker-bridges nat-prerouting-and-output: [nat]".to_owned()].into(),
            ..Docker::default()
        };
        let translations = ForeignTranslations {
            table: TablePath { family: Family::Ip, table: "nat".into() },
            via: vec!["KUBE-SERVICES".into()],
            return_rule: ReturnRule::Kept,
        };
        let plan = Plan { foreign_translations: vec![translations], ..Plan::default() };
        let mut outcome = Outcome::default();
        (outcome.plan, outcome.docker) = (plan, docker);
        let starts = |policy: &Policy| {
            let warnings = warnings(policy, &outcome);
            let start = |it: &String| it.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
            warnings.iter().map(start).collect::<Vec<_>>()
        };
        assert_eq!(
            starts(&Policy::default()),
            ["the RETURN rule in", "Docker's bridge br0 also", "cannot determine which ports"]
        );
        assert_eq!(
            starts(&Policy::builder().guard(Guard::off()).build().expect("a policy")),
            ["the RETURN rule in", "unprotected while the guard", "cannot determine which ports"]
        );
    }

    #[test]
    fn mismatches_are_sentences() {
        let text = "[[allow]]\nname = 'web'\nports = ['80', '443', '53/udp']\nin-interface = 'wg+'\n\
                    to = ['192.0.2.1']\n";
        let policy = Policy::parse(text, "p", std::path::Path::new("")).expect("a policy");
        let ports = |text: &str| text.parse::<Ports>().expect("ports");
        let port = PublishedPort { address: None, family: Family::Inet, ports: ports("81") };
        let docker = Docker {
            has_rules: true,
            container_ports: [(port.clone(), 80)].into(),
            published: [port].into(),
            ..Docker::default()
        };
        let host = HostFacts {
            interfaces: ["eth0".into()].into(),
            addresses: Some(Vec::new()),
            ..HostFacts::default()
        };
        assert_eq!(
            sentences(&mismatches(&policy, &docker, &host)),
            [
                "Docker does not publish 443/tcp, 53/udp, which the policy allows",
                "Docker does not publish 80/tcp, which the policy allows: 80 is the container's port; \
                 it is published as 81/tcp",
                "the host has no interface wg+, which entry `web` at p:1:1 names",
                "the host has no address in 192.0.2.1, which `to` of entry `web` at p:1:1 lists",
            ]
        );
    }

    #[test]
    fn what_a_chain_drops_is_described() {
        let network = "192.0.2.0/24".parse().expect("a network");
        let rule = |interface: Option<&str>, negated: Option<bool>| DropCause::Rule {
            in_interface: interface.map(|it| it.parse().expect("an interface")),
            source: negated.map(|negated| AddressMatch { network, negated }),
        };
        let cases = [
            (rule(None, None), "everything"),
            (rule(Some("eth0"), None), "everything that comes in by eth0"),
            (
                rule(Some("!lo"), Some(true)),
                "everything that does not come in by lo except from 192.0.2.0/24",
            ),
            (rule(None, Some(false)), "everything from 192.0.2.0/24"),
            (DropCause::Policy, "what reaches its end (policy drop)"),
        ];
        for (cause, expected) in cases {
            assert_eq!(dropped(&cause), expected);
        }
        let many: Vec<String> = (1..=7).map(|number| number.to_string()).collect();
        assert_eq!(some(&many), "1, 2, 3, 4, 5 and 2 more");
    }
}
