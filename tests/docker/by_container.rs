//! Entries by container: the ports that Docker chose are followed.

use std::path::Path;

use tempfile::TempDir;

use super::site::{ECHO, Site};
use super::support::{
    Answer, Docker, Files, Namespace, Topology, Watch, dwnl, output, tcp, wait_for,
};

/// A stock host with a dockerd, and a directory for the state and the policy.
struct Host {
    site: Site,
    state: TempDir,
}

impl Host {
    fn new() -> Host {
        let topology = Topology::new();
        let docker = Docker::start(&topology.host, &[]);
        let state = TempDir::with_prefix("dwnl-state-").expect("a directory");
        Host { site: Site { topology, docker }, state }
    }

    fn namespace(&self) -> &Namespace {
        &self.site.topology.host
    }

    fn state(&self) -> String {
        self.state.path().to_string_lossy().into_owned()
    }

    /// The policy with the socket of this dockerd.
    fn policy(&self, text: &str) -> String {
        self.policy_at(text, &self.site.docker.socket())
    }

    fn policy_at(&self, text: &str, socket: &Path) -> String {
        let labels = if text.contains("label-groups") { "labels = true" } else { "" };
        format!("[docker]\nsocket = {socket:?}\n{labels}\n{text}")
    }

    /// Runs a verb that keeps state.
    #[track_caller]
    fn dwnl(&self, verb: &[&str], policy: &str) -> String {
        let options = ["-f", "-", "--state-dir", &self.state()];
        dwnl(self.namespace(), &[verb, &options[..]].concat(), policy).succeeded()
    }

    fn watch(&self, policy: &str) -> Watch {
        let options = ["--state-dir", &self.state()];
        Watch::start_with(self.namespace(), Files::new(policy), &options)
    }

    /// The port by which a container is published that Docker has chosen.
    fn port(&self, container: &str) -> u16 {
        let ports = self.site.docker.client(&["port", container]);
        let port = ports.lines().next().and_then(|line| line.rsplit(':').next());
        port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("a port: {ports}"))
    }

    /// Waits until the container answers the host, and then until the allowed client alone gets in, over
    /// both IP versions.
    #[track_caller]
    fn admits_allowed_only(&self, container: &str) {
        let port = self.port(container);
        self.site.answers_the_host(port);
        self.eventually(Topology::ALLOWED, Topology::HOST, port, Answer::Answered);
        self.eventually(Topology::REFUSED, Topology::HOST, port, Answer::TimedOut);
        let port = self.port6(container);
        self.eventually(Topology::ALLOWED6, Topology::HOST6, port, Answer::Answered);
        self.eventually(Topology::REFUSED6, Topology::HOST6, port, Answer::TimedOut);
    }

    /// The port over IPv6, which may be another one.
    fn port6(&self, container: &str) -> u16 {
        let ports = self.site.docker.client(&["port", container]);
        let line = ports.lines().find(|line| line.contains("::"));
        let port = line.and_then(|line| line.rsplit(':').next()).and_then(|it| it.parse().ok());
        port.unwrap_or_else(|| panic!("a port for IPv6: {ports}"))
    }

    #[track_caller]
    fn eventually(&self, source: &str, target: &str, port: u16, answer: Answer) {
        wait_for(&format!("{answer:?} from {source} to {target}, port {port}"), || {
            let found = tcp(&self.site.topology.client, source, target, port);
            (found == answer).then_some(())
        });
    }

    #[track_caller]
    fn is_open(&self, container: &str) {
        let port = self.port(container);
        self.eventually(Topology::ALLOWED, Topology::HOST, port, Answer::Answered);
        self.eventually(Topology::REFUSED, Topology::HOST, port, Answer::Answered);
        let port = self.port6(container);
        self.eventually(Topology::REFUSED6, Topology::HOST6, port, Answer::Answered);
    }
}

const WEB: &str = r#"
[[allow]]
name = "shop"
container = "web"
from = ["192.0.2.2", "2001:db8::2"]
"#;

#[test]
fn a_port_that_docker_chooses_is_followed() {
    let host = Host::new();
    host.site.docker.run("web", &["-p", "80"], ECHO);
    host.site.docker.run("other", &["-p", "80"], ECHO);
    host.is_open("web");
    let policy = host.policy(WEB);
    let plan = host.dwnl(&["plan"], &policy);
    assert!(plan.contains(&format!("{}/tcp", host.port("web"))), "{plan}");
    host.dwnl(&["apply"], &policy);
    host.admits_allowed_only("web");
    let watch = host.watch(&policy);
    // The freed port is taken by another container, and `web` gets a new one.
    let before = host.port("web");
    host.site.docker.client(&["rm", "-f", "web"]);
    watch.logged("ports of containers have changed");
    host.site.docker.run("squatter", &["-p", &format!("{before}:80")], ECHO);
    host.site.docker.run("web", &["-p", "80"], ECHO);
    assert_ne!(host.port("web"), before);
    host.admits_allowed_only("web");
    host.site.answers_the_host(before);
    host.eventually(Topology::ALLOWED, Topology::HOST, before, Answer::TimedOut);
    host.eventually(Topology::ALLOWED, Topology::HOST, host.port("other"), Answer::TimedOut);
    host.site.docker.client(&["restart", "web"]);
    host.admits_allowed_only("web");
    host.site.docker.client(&["rename", "web", "was-web"]);
    host.eventually(Topology::ALLOWED, Topology::HOST, host.port("was-web"), Answer::TimedOut);
    host.site.docker.client(&["rename", "was-web", "web"]);
    host.admits_allowed_only("web");
}

#[test]
fn without_the_api_the_last_known_ports_stay() {
    let mut host = Host::new();
    host.site.docker.run("web", &["--restart=always", "-p", "8080:80"], ECHO);
    let policy = host.policy(WEB);
    let absent = host.policy_at(WEB, Path::new("/nonexistent/docker.sock"));
    let options = ["apply", "-f", "-", "--state-dir", &host.state()];
    let unknown = dwnl(host.namespace(), &options, &absent);
    assert!(unknown.stderr.contains("the ports of containers are not known"), "{unknown}");
    host.site.answers_the_host(8080);
    host.eventually(Topology::ALLOWED, Topology::HOST, 8080, Answer::TimedOut);
    host.dwnl(&["apply"], &policy);
    host.admits_allowed_only("web");
    let known = dwnl(host.namespace(), &options, &absent);
    assert!(known.stderr.contains("are those known last"), "{known}");
    host.admits_allowed_only("web");
    let watch = host.watch(&policy);
    host.site.docker.restart();
    watch.logged("cannot read Docker's API");
    host.admits_allowed_only("web");
    drop(watch);
}

#[test]
fn what_a_container_is_denied_stays_denied_without_the_api() {
    let host = Host::new();
    host.site.docker.run("web", &["-p", "8080:80"], ECHO);
    host.site.docker.run("other", &["-p", "8081:80"], ECHO);
    let text = r#"
[[allow]]
ports = ["8000-8100"]

[[deny]]
container = "web"
from = ["192.0.2.66", "2001:db8::66"]
"#;
    let expect = |refused, other| {
        host.eventually(Topology::ALLOWED, Topology::HOST, 8080, Answer::Answered);
        host.eventually(Topology::REFUSED, Topology::HOST, 8080, refused);
        host.eventually(Topology::REFUSED6, Topology::HOST6, 8080, refused);
        host.eventually(Topology::REFUSED, Topology::HOST, 8081, other);
    };
    expect(Answer::Answered, Answer::Answered);
    let absent = host.policy_at(text, Path::new("/nonexistent/docker.sock"));
    host.dwnl(&["apply"], &absent);
    // Any port may be that of the container.
    expect(Answer::TimedOut, Answer::TimedOut);
    host.dwnl(&["apply"], &host.policy(text));
    expect(Answer::TimedOut, Answer::Answered);
    // A port that nobody was known to publish may be that of the container.
    host.site.docker.run("new", &["-p", "8082:80"], ECHO);
    host.eventually(Topology::REFUSED, Topology::HOST, 8082, Answer::Answered);
    host.dwnl(&["apply"], &absent);
    expect(Answer::TimedOut, Answer::Answered);
    host.eventually(Topology::REFUSED, Topology::HOST, 8082, Answer::TimedOut);
    host.eventually(Topology::ALLOWED, Topology::HOST, 8082, Answer::Answered);
}

#[test]
fn labels_open_no_more_than_the_policy_permits() {
    let host = Host::new();
    let labels = ["--label", "dwnl.allow=clients", "--label", "dwnl.allow.81=everyone"];
    host.site.docker.run("web", &[&["-p", "80", "-p", "8081:81"], &labels[..]].concat(), ECHO);
    host.site.docker.run("bare", &["-p", "80"], ECHO);
    host.site.docker.run("greedy", &["-p", "80", "--label", "dwnl.allow=everyone"], ECHO);
    host.is_open("bare");
    host.is_open("greedy");
    let text = r#"
label-groups = ["clients"]

[sources]
clients = ["192.0.2.2", "2001:db8::2"]
everyone = ["0.0.0.0/0", "::/0"]

[[allow]]
ports = ["1"]
from = ["everyone"]
"#;
    let policy = host.policy(text);
    let options = ["apply", "-f", "-", "--state-dir", &host.state()];
    let applied = dwnl(host.namespace(), &options, &policy);
    let errors = &applied.stderr;
    assert!(errors.contains("`greedy` allows nobody") && errors.contains("`everyone`"), "{errors}");
    host.admits_allowed_only("web");
    for blocked in ["bare", "greedy"] {
        let port = host.port(blocked);
        host.site.answers_the_host(port);
        host.eventually(Topology::ALLOWED, Topology::HOST, port, Answer::TimedOut);
    }
}

#[test]
fn a_compose_service_is_followed_through_its_replicas() {
    let host = Host::new();
    let file = host.state.path().join("compose.yaml");
    let service = "image: image\n    command: ['/bin/sh', '-c', 'exec nc -ll -p 80 -e cat']\n    \
                   stop_signal: SIGKILL\n    ports: ['80']";
    let text = format!("version: '3'\nservices:\n  api:\n    {service}\n  db:\n    {service}\n");
    std::fs::write(&file, text).expect("to write a file");
    compose(&host, &file, &["up", "-d", "--scale", "api=2"]);
    let containers = |service: &str| {
        let filter = format!("label=com.docker.compose.service={service}");
        let names = host.site.docker.client(&["ps", "--filter", &filter, "--format", "{{.Names}}"]);
        names.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let text = WEB.replace("container = \"web\"", "compose = \"shop/api\"");
    let watch = host.watch(&host.policy(&text));
    assert_eq!(containers("api").len(), 2);
    containers("api").iter().for_each(|name| host.admits_allowed_only(name));
    let db = host.port(&containers("db")[0]);
    host.site.answers_the_host(db);
    host.eventually(Topology::ALLOWED, Topology::HOST, db, Answer::TimedOut);
    compose(&host, &file, &["up", "-d", "--force-recreate", "--scale", "api=3"]);
    assert_eq!(containers("api").len(), 3);
    containers("api").iter().for_each(|name| host.admits_allowed_only(name));
    drop(watch);
}

/// Runs Compose with the project `shop`.
fn compose(host: &Host, file: &Path, args: &[&str]) {
    let address = format!("unix://{}", host.site.docker.socket().display());
    let file = file.to_string_lossy();
    let options = ["docker-compose", "-H", &address, "-p", "shop", "-f", &file];
    output(&[&options[..], args].concat(), "").succeeded();
}
