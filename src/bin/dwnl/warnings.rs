//! Warnings: what the operator has to take care of, because the policy cannot.

use dwnl::Error;
use dwnl::engine::{Outcome, Preview};
use dwnl::model::{Docker, ForeignTranslations, Name};
use dwnl::{Limitation, Policy, blocked_swarm_ports, unprotected_ports};

/// The warnings for a policy that was applied, or would be, with this outcome.
pub fn warnings(policy: &Policy, outcome: &Outcome) -> Vec<String> {
    let Outcome { plan, docker, .. } = outcome;
    let translations = plan.foreign_translations.iter().filter(|it| !it.is_left_out());
    translations
        .map(ForeignTranslations::to_string)
        .chain(unprotected(policy, docker))
        .chain(shared_bridges(policy, docker))
        .chain(docker.unreadable.iter().map(|rule| unreadable(rule)))
        .chain(blocked_swarm(policy, docker))
        .chain(outcome.limitations.iter().map(Limitation::to_string))
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
    let ports: Vec<String> =
        unprotected_ports(policy, docker).iter().map(ToString::to_string).collect();
    (!ports.is_empty()).then(|| {
        format!(
            "unprotected while the guard is off: {}; Docker publishes these ports with its nftables \
             backend or in routed networks, which DOCKER-BLOCK does not cover",
            ports.join(", ")
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
    let ports: Vec<String> =
        blocked_swarm_ports(policy, docker).iter().map(ToString::to_string).collect();
    (!ports.is_empty()).then(|| {
        format!(
            "the guard blocks the other nodes of this Swarm, which connect to {}; add them to \
             `swarm-peers` in `[guard]`",
            ports.join(", ")
        )
    })
}

fn unreadable(rule: &str) -> String {
    format!("cannot determine which ports Docker publishes with a rule in {rule}")
}

#[cfg(test)]
mod tests {
    use dwnl::Plan;
    use dwnl::model::{Family, Ports, Protocol, PublishedPort, ReturnRule, TablePath};
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
}
