//! What an operator has to be warned of, because the policy cannot see to it.

use dwnl::engine::Outcome;
use dwnl::model::{Docker, ForeignTranslations, Name};
use dwnl::{Limitation, Policy, blocked_swarm_ports, unprotected_ports};

/// The warnings where this policy was applied, or would be, with this outcome.
pub fn warnings(policy: &Policy, outcome: &Outcome) -> Vec<String> {
    let Outcome { plan, docker, .. } = outcome;
    let translations = plan.foreign_translations.iter().filter(|it| !it.is_left_out());
    translations
        .map(ForeignTranslations::to_string)
        .chain(nothing_protects(policy, docker))
        .chain(shared_bridges(policy, docker))
        .chain(docker.unreadable.iter().map(|rule| unreadable(rule)))
        .chain(cut_off(policy, docker))
        .chain(outcome.limitations.iter().map(Limitation::to_string))
        .collect()
}

fn nothing_protects(policy: &Policy, docker: &Docker) -> Option<String> {
    let ports: Vec<String> =
        unprotected_ports(policy, docker).iter().map(ToString::to_string).collect();
    (!ports.is_empty()).then(|| {
        format!(
            "nothing protects {} while the guard is off: Docker publishes them by its nftables \
             backend or in a routed network, which DOCKER-BLOCK does not stop",
            ports.join(", ")
        )
    })
}

fn shared_bridges(policy: &Policy, docker: &Docker) -> impl Iterator<Item = String> {
    let bridges = docker.shared_bridges.iter().filter(|_| policy.guard().is_enabled());
    bridges.map(|(bridge, ports)| {
        let ports: Vec<&str> = ports.iter().map(Name::as_ref).collect();
        format!(
            "Docker's bridge {bridge} also has ports that Docker did not make ({}): what comes from \
             it, from its containers too, is judged like what comes from outside",
            ports.join(", ")
        )
    })
}

fn cut_off(policy: &Policy, docker: &Docker) -> Option<String> {
    let ports: Vec<String> =
        blocked_swarm_ports(policy, docker).iter().map(ToString::to_string).collect();
    (!ports.is_empty()).then(|| {
        format!(
            "the guard cuts this node of a Swarm off from the others, which call it on {}: name them \
             in `swarm-peers` in `[guard]`",
            ports.join(", ")
        )
    })
}

fn unreadable(rule: &str) -> String {
    format!("it cannot be read which ports Docker publishes by a rule in {rule}")
}

#[cfg(test)]
mod tests {
    use dwnl::Plan;
    use dwnl::model::{Family, Ports, Protocol, PublishedPort, SecondJump, TablePath};
    use dwnl::policy::Guard;

    use super::*;

    #[test]
    fn each_is_a_sentence() {
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
            second_jump: SecondJump::Kept,
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
            ["the second jump in", "Docker's bridge br0 also", "it cannot be read"]
        );
        assert_eq!(
            starts(&Policy::builder().guard(Guard::off()).build().expect("a policy")),
            ["the second jump in", "nothing protects 8080-8081/tcp while", "it cannot be read"]
        );
    }
}
