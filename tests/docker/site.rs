//! The host with Docker that the test clients connect to.

use super::support::{Answer, Docker, Topology, UdpEcho, tcp, udp, udp_echo, wait_for};

/// A host with Docker, and the container `web` that echoes TCP on port 80, published as 8080.
pub struct Site {
    pub topology: Topology,
    pub docker: Docker,
}

/// Allows one client to reach the container `web`.
pub const POLICY: &str = r#"
[[allow]]
ports = ["8080/tcp"]
from = ["192.0.2.2"]
"#;

/// Echoes TCP on port 80.
pub const ECHO: &str = "exec nc -ll -p 80 -e cat";

impl Site {
    pub fn new() -> Site {
        let topology = Topology::closed();
        let docker = Docker::start(&topology.host, &[]);
        let site = Site { topology, docker };
        site.publish_web();
        site
    }

    /// A site on a stock host, whose `INPUT` accepts everything.
    pub fn stock() -> Site {
        let topology = Topology::new();
        let docker = Docker::start(&topology.host, &[]);
        let site = Site { topology, docker };
        site.publish_web();
        site
    }

    /// A site whose dockerd runs as a service in its own cgroup, without any container.
    pub fn service(flags: &[&str]) -> Site {
        let topology = Topology::new();
        let docker = Docker::start_service(&topology.host, flags);
        Site { topology, docker }
    }

    /// The policy with the cgroup of this site's dockerd, and with more keys of the `[guard]`
    /// table.
    pub fn policy_with(&self, policy: &str, keys: &str) -> String {
        format!("{policy}\n[guard]\ndocker-cgroup = {:?}\n{keys}\n", self.docker.cgroup_path())
    }

    pub fn publish_web(&self) {
        self.docker.run("web", &["--restart=always", "-p", "8080:80"], ECHO);
    }

    /// Runs a container that echoes UDP on port 80, published as 8080, until the result is dropped.
    pub fn publish_udp(&self) -> UdpEcho {
        self.docker.run("dns", &["-p", "8080:80/udp"], "exec sleep 1000");
        udp_echo(&self.docker.namespace("dns"), 80)
    }

    /// The answer to a datagram to the port of [`Site::publish_udp`].
    pub fn attempt_over_udp(&self, source: &str) -> Answer {
        udp(&self.topology.client, source, Topology::HOST, 8080)
    }

    #[track_caller]
    pub fn answers_over_udp(&self, source: &str) {
        let what = format!("an answer to {source} over UDP");
        let answered = || self.attempt_over_udp(source) == Answer::Answered;
        wait_for(&what, || answered().then_some(()));
    }

    #[track_caller]
    pub fn expect(&self, source: &str, port: u16, answer: Answer) {
        expect(&self.topology, source, Topology::HOST, port, answer);
    }

    /// Asserts that both clients get in. This is also the positive control: only dwnl blocks the
    /// refused client.
    #[track_caller]
    pub fn is_open(&self) {
        self.expect(Topology::ALLOWED, 8080, Answer::Answered);
        self.expect(Topology::REFUSED, 8080, Answer::Answered);
    }

    #[track_caller]
    pub fn is_open_to_allowed_only(&self) {
        self.expect(Topology::ALLOWED, 8080, Answer::Answered);
        self.expect(Topology::REFUSED, 8080, Answer::TimedOut);
    }

    /// [`Site::is_open`] over UDP.
    #[track_caller]
    pub fn is_open_over_udp(&self) {
        self.answers_over_udp(Topology::ALLOWED);
        self.answers_over_udp(Topology::REFUSED);
    }

    /// Asserts that the allowed client alone gets in over UDP, and none over TCP.
    #[track_caller]
    pub fn is_open_over_udp_to_allowed_only(&self) {
        self.answers_over_udp(Topology::ALLOWED);
        assert_eq!(self.attempt_over_udp(Topology::REFUSED), Answer::TimedOut);
        self.expect(Topology::ALLOWED, 8080, Answer::TimedOut);
    }

    /// Waits until the container answers the host itself: when clients then get no answer,
    /// something blocks them.
    #[track_caller]
    pub fn answers_the_host(&self, port: u16) {
        wait_for("an answer to the host itself", || {
            let answer = tcp(&self.topology.host, Topology::HOST, Topology::HOST, port);
            (answer == Answer::Answered).then_some(())
        });
    }
}

/// Asserts the result of a connection attempt. It waits for an answer, because the container may
/// just have been started, but not for silence.
#[track_caller]
pub fn expect(topology: &Topology, source: &str, target: &str, port: u16, answer: Answer) {
    let what = format!("from {source} to {target}, port {port}");
    let attempt = || tcp(&topology.client, source, target, port);
    if answer == Answer::Answered {
        wait_for(&format!("an answer {what}"), || (attempt() == answer).then_some(()));
    } else {
        assert_eq!(attempt(), answer, "{what}");
    }
}
