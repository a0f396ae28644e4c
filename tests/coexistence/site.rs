//! A host with Docker and a published port, and its clients.

use serde_json::Value;

use super::support::{Answer, Docker, Namespace, Topology, apply, dwnl, plan, tcp, wait_for};

/// Allows one client of each IP version.
pub const POLICY: &str = r#"
[[allow]]
name = "web"
ports = ["8080/tcp"]
from = ["192.0.2.2", "2001:db8::2"]
"#;

/// Echoes TCP on port 80.
pub const ECHO: &str = "exec nc -ll -p 80 -e cat";

/// The published port.
pub const PORT: u16 = 8080;

/// A host with Docker and the container `web`, published as 8080. Over IPv6 it is reached through
/// docker-proxy.
pub struct Site {
    pub topology: Topology,
    pub docker: Docker,
}

impl Site {
    /// A host that forwarded before Docker started, so that Docker does not drop the traffic of others.
    pub fn new() -> Site {
        let topology = Topology::new();
        topology.host.run(&["sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1"]);
        Site::on(topology)
    }

    /// A host on which Docker has switched forwarding on, and set `policy drop` in `FORWARD`.
    pub fn dropping() -> Site {
        Site::on(Topology::new())
    }

    fn on(topology: Topology) -> Site {
        let docker = Docker::start(&topology.host, &[]);
        docker.run("web", &["--restart=always", "-p", "8080:80"], ECHO);
        let site = Site { topology, docker };
        // Positive control: without dwnl everyone gets in.
        for source in [Topology::ALLOWED, Topology::REFUSED] {
            site.becomes(source, Answer::Answered);
        }
        site
    }

    pub fn host(&self) -> &Namespace {
        &self.topology.host
    }

    /// What a client gets on the published port.
    pub fn answer(&self, source: &str) -> Answer {
        let target = if source.contains(':') { Topology::HOST6 } else { Topology::HOST };
        tcp(&self.topology.client, source, target, PORT)
    }

    /// Waits until a client gets this answer.
    #[track_caller]
    pub fn becomes(&self, source: &str, answer: Answer) {
        let what = format!("{answer:?} for {source}");
        wait_for(&what, || (self.answer(source) == answer).then_some(()));
    }

    /// Applies the policy, which then decides over IPv4.
    #[track_caller]
    pub fn protect(&self) {
        apply(self.host(), POLICY);
        self.decides();
    }

    /// Over IPv4 the policy decides.
    #[track_caller]
    pub fn decides(&self) {
        self.becomes(Topology::ALLOWED, Answer::Answered);
        assert_eq!(self.answer(Topology::REFUSED), Answer::TimedOut);
    }

    /// Over IPv6, through docker-proxy, the policy decides.
    #[track_caller]
    pub fn decides_on_ipv6(&self) {
        self.becomes(Topology::ALLOWED6, Answer::Answered);
        assert_eq!(self.answer(Topology::REFUSED6), Answer::TimedOut);
    }

    /// No change is needed: what the other program did has left dwnl's rules alone.
    #[track_caller]
    pub fn is_in_sync(&self) {
        let plan = plan(self.host(), POLICY);
        assert_eq!(plan["has_changes"], false, "{plan:#}");
    }

    /// Runs commands of the document on the host.
    #[track_caller]
    pub fn shell(&self, script: &str) {
        self.host().run(&["sh", "-ec", script]);
    }

    /// The level that a check of `dwnl doctor` finds.
    pub fn found(&self, check: &str) -> Option<String> {
        let output = dwnl(self.host(), &["doctor", "--json", "-f", "-"], POLICY);
        let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
        let findings = report["findings"].as_array().expect("findings");
        let finding = findings.iter().find(|finding| finding["check"] == check)?;
        finding["level"].as_str().map(str::to_owned)
    }

    /// Loads the rules of a program that is not run.
    pub fn load(&self, file: &str) {
        let path = format!("{}/tests/fixtures/programs/{file}", env!("CARGO_MANIFEST_DIR"));
        match file.ends_with(".nft") {
            true => self.host().run(&["nft", "-f", &path]),
            false => self.host().run(&["iptables-restore", "--noflush", &path]),
        };
    }
}
