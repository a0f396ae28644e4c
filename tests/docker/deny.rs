//! Sources that are denied reach no container: not over Docker's translation, and not over docker-proxy.

use super::site::{ECHO, expect};
use super::support::{Answer, Docker, Topology, apply};

/// The paths: translated over IPv4, and to docker-proxy over IPv6. Each with the source that is denied and
/// another one.
const PATHS: [[&str; 3]; 2] = [
    [Topology::REFUSED, Topology::ALLOWED, Topology::HOST],
    [Topology::REFUSED6, Topology::ALLOWED6, Topology::HOST6],
];

#[test]
fn denied_sources_get_in_by_no_path() {
    let topology = Topology::new();
    let docker = Docker::start(&topology.host, &[]);
    docker.run("web", &["-p", "8080:80"], ECHO);
    for [denied, other, host] in PATHS {
        expect(&topology, denied, host, 8080, Answer::Answered);
        expect(&topology, other, host, 8080, Answer::Answered);
    }
    let few = vec![Topology::REFUSED.to_owned(), Topology::REFUSED6.to_owned()];
    let unrelated =
        (0..100).flat_map(|number| [format!("10.0.{number}.0/24"), format!("fd00:{number}::/32")]);
    let many: Vec<String> = few.iter().cloned().chain(unrelated).collect();
    for list in [few, many] {
        let policy = format!("[[allow]]\nports = ['8080']\n[[deny]]\nfrom = {list:?}\n");
        apply(&topology.host, &policy);
        for [denied, other, host] in PATHS {
            expect(&topology, denied, host, 8080, Answer::TimedOut);
            expect(&topology, other, host, 8080, Answer::Answered);
        }
    }
}
