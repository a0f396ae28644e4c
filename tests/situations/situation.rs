//! A situation: the policy, the rules of other programs, and a packet.

use super::explain::explain;
use super::observers::Observers;
use super::support::{Answer, Docker, Namespace, Topology, apply, dwnl, tcp, udp, wait_if};

/// Echoes TCP on port 80.
pub const ECHO: &str = "exec nc -ll -p 80 -e cat";

/// A host with Docker and its clients.
pub struct Site {
    pub topology: Topology,
    pub docker: Docker,
}

/// A packet, and what it gets.
pub struct Situation {
    /// What is special about it.
    pub name: &'static str,
    /// The policy; empty: dwnl's rules are not installed.
    pub policy: String,
    /// Commands on the host after the policy is applied. They are undone afterwards.
    pub commands: Commands,
    /// The source, the destination, the port and, if it is not the one that leads to the source, the
    /// interface: `192.0.2.2 192.0.2.1 8080/tcp eth1`.
    pub packet: String,
    /// What the packet gets.
    pub answer: Answer,
    /// What `explain` gives as the reason: see [`super::explain::explain`].
    pub why: &'static str,
}

/// The parts of a packet.
pub struct Parts<'a> {
    pub source: &'a str,
    pub destination: &'a str,
    pub port: u16,
    pub protocol: &'a str,
    pub interface: Option<&'a str>,
}

/// The commands of a situation.
pub type Commands = &'static [&'static str];

impl Situation {
    /// A line of a table.
    pub fn new(
        name: &'static str,
        policy: &str,
        commands: Commands,
        packet: &str,
        answer: Answer,
        why: &'static str,
    ) -> Situation {
        Situation {
            name,
            policy: policy.to_owned(),
            commands,
            packet: packet.to_owned(),
            answer,
            why,
        }
    }

    /// The parts of the packet.
    pub fn parts(&self) -> Parts<'_> {
        let words: Vec<&str> = self.packet.split(' ').collect();
        let [source, destination, port, ..] = words[..] else { panic!("{}", self.packet) };
        let (port, protocol) = port.split_once('/').expect("a protocol");
        let (port, interface) = (port.parse().expect("a port"), words.get(3).copied());
        Parts { source, destination, port, protocol, interface }
    }
}

impl Site {
    /// A stock host, whose `INPUT` accepts everything, with the container `web` published as 8080.
    pub fn new(flags: &[&str]) -> Site {
        let topology = Topology::new();
        let docker = Docker::start(&topology.host, flags);
        docker.run("web", &["-p", "8080:80"], ECHO);
        Site { topology, docker }
    }

    /// The same with dockerd as a service in its own cgroup.
    pub fn service() -> Site {
        let topology = Topology::new();
        let docker = Docker::start_service(&topology.host, &[]);
        docker.run("web", &["-p", "8080:80"], ECHO);
        Site { topology, docker }
    }

    /// The address of a container.
    pub fn address(&self, container: &str) -> String {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        self.docker.client(&["inspect", "-f", format, container]).trim().to_owned()
    }

    /// The host.
    pub fn host(&self) -> &Namespace {
        &self.topology.host
    }

    /// Sends the packet of each situation, and compares what it gets with what each tool says.
    #[track_caller]
    pub fn check(&self, situations: &[Situation]) {
        let client = &self.topology.client;
        let wrong: Vec<String> =
            situations.iter().flat_map(|it| self.differences(it, client)).collect();
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }

    /// The same with packets from a container or another namespace.
    #[track_caller]
    pub fn check_from(&self, client: &Namespace, situations: &[Situation]) {
        let wrong: Vec<String> =
            situations.iter().flat_map(|it| self.differences(it, client)).collect();
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }

    /// What is not as the situation says.
    fn differences(&self, situation: &Situation, client: &Namespace) -> Vec<String> {
        let name = situation.name;
        if !situation.policy.is_empty() {
            apply(self.host(), &situation.policy);
        }
        for command in situation.commands {
            self.host().run(&words(command));
        }
        let mut differences = Vec::new();
        let (is_allowed, why) = explain(self, situation);
        if is_allowed.is_some_and(|it| it != (situation.answer == Answer::Answered)) {
            differences.push(format!("{name}: explain is wrong: {why}"));
        } else if why != situation.why {
            differences.push(format!("{name}: explain says `{why}`"));
        }
        let observers = Observers::start(self, situation);
        let answer = answer(situation, client);
        if answer != situation.answer {
            differences.push(format!("{name}: the packet got {answer:?}"));
        }
        differences.extend(observers.differences());
        let commands = situation.commands;
        for command in commands.iter().rev().filter_map(|it| undo(it, commands)) {
            self.host().run(&words(&command));
        }
        dwnl(self.host(), &["remove"], "").succeeded();
        differences
    }
}

/// What the packet gets. It waits for an answer, because a container may just have been started.
fn answer(situation: &Situation, client: &Namespace) -> Answer {
    let Parts { source, destination, port, protocol, .. } = situation.parts();
    let attempt = || match protocol {
        "udp" => udp(client, source, destination, port),
        _ => tcp(client, source, destination, port),
    };
    if situation.answer != Answer::Answered {
        return attempt();
    }
    let answered = || Some(attempt()).filter(|answer| *answer == Answer::Answered);
    wait_if(answered).unwrap_or_else(attempt)
}

fn words(command: &str) -> Vec<&str> {
    command.split(' ').collect()
}

/// The command that undoes one that adds a rule or a table, unless another one has deleted it before.
/// `dwnl remove` undoes changes of dwnl's rules.
fn undo(command: &str, commands: &[&str]) -> Option<String> {
    if command.contains("dwnl") || command.contains("DOCKER-BLOCK") {
        return None;
    }
    if let Some(table) = command.strip_prefix("nft add table ") {
        return Some(format!("nft delete table {table}"));
    }
    let deletion = command.replace(" -A ", " -D ").replace(" -I ", " -D ");
    (deletion != command && !commands.contains(&&*deletion)).then_some(deletion)
}
