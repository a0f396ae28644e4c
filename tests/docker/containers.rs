//! Docker's own commands while dwnl's rules are in place.

use super::site::{ECHO, POLICY, Site};
use super::support::{Answer, Topology, apply};

#[test]
fn a_port_published_later_is_blocked_until_the_policy_allows_it() {
    let site = Site::new();
    apply(&site.topology.host, POLICY);

    site.docker.run("late", &["-p", "8081:80"], ECHO);
    site.answers_the_host(8081);
    site.expect(Topology::ALLOWED, 8081, Answer::TimedOut);
    site.expect(Topology::REFUSED, 8081, Answer::TimedOut);

    apply(&site.topology.host, &POLICY.replace("8080/tcp", "8080-8081/tcp"));
    site.expect(Topology::ALLOWED, 8081, Answer::Answered);
    site.expect(Topology::REFUSED, 8081, Answer::TimedOut);
    site.is_open_to_allowed_only();
}

#[test]
fn containers_can_be_restarted_removed_and_run_again() {
    let site = Site::new();
    apply(&site.topology.host, POLICY);
    site.is_open_to_allowed_only();

    site.docker.client(&["restart", "web"]);
    site.is_open_to_allowed_only();

    site.docker.client(&["rm", "-f", "web"]);
    site.expect(Topology::ALLOWED, 8080, Answer::TimedOut);

    site.publish_web();
    site.is_open_to_allowed_only();
}
