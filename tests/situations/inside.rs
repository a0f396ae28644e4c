//! Packets from containers.

use super::situation::{ECHO, Site, Situation};
use super::support::Answer;

#[test]
fn containers_reach_published_ports() {
    let site = Site::new(&[]);
    site.docker.client(&["network", "create", "elsewhere"]);
    site.docker.run("neighbour", &[], ECHO);
    site.docker.run("stranger", &["--network", "elsewhere"], ECHO);
    for container in ["neighbour", "stranger"] {
        let client = site.docker.namespace(container);
        let situation = Situation {
            name: container,
            policy: "[[allow]]\nports = [\"8080\"]\nfrom = [\"192.0.2.2\"]\n".to_owned(),
            commands: &[],
            packet: format!("{} 192.0.2.1 8080/tcp", site.address(container)),
            answer: Answer::Answered,
            why: "process (from_container)",
        };
        site.check_from(&client, &[situation]);
    }
}
