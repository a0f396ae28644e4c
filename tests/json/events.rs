//! The events that `watch` prints.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::checker::Checker;
use super::commands::{DOCKER, policy, printed};
use super::support::{
    Answer, ApiAnswer, Datagrams, FakeDocker, Files, Namespace, Topology, Watch,
    docker_api_container, udp_echo, wait_for,
};

/// More rules than fit into the receive buffer of the monitor.
const OVERRUN_RULES: usize = 60_000;

/// Lets every event happen, and checks what was printed.
pub fn check_all(checker: &mut Checker) {
    let host = Namespace::new();
    host.try_run(&["nft", "-f", "-"], DOCKER).succeeded();
    let mut watch = Watch::start_with(&host, Files::new(&policy(0..100)), &["--json", "--verbose"]);
    await_event(&watch, "start");
    host.run(&["iptables", "-t", "nat", "-A", "POSTROUTING", "-j", "RETURN"]);
    await_event(&watch, "check");
    reload(&watch);
    fail(&host, &watch);
    flap(&host, &watch);
    overrun(&host, &watch);
    watch.signal(Signal::SIGTERM);
    assert_eq!(watch.ended().code(), Some(0), "{}", watch.log());
    await_event(&watch, "stop");
    for event in events(&watch) {
        checker.expect("watch", &event);
    }
    change(checker);
    fall_back(checker);
    follow_containers(checker);
    end_of_schedule(checker);
    drop_messages(checker);
}

/// A changed policy that a manual watch does not apply.
fn change(checker: &mut Checker) {
    let host = Namespace::new();
    let options = ["--json", "--manual"];
    let watch = Watch::start_with(&host, Files::new(&policy(0..0)), &options);
    fs::write(watch.files().policy(), policy(0..1)).expect("to write");
    await_event(&watch, "changed");
    host.run(&["iptables", "-t", "nat", "-F", "DOCKER-BLOCK"]);
    await_event(&watch, "repair");
    checker.expect("status", &printed(&host, &["status"], "", 0));
    for event in events(&watch) {
        checker.expect("watch", &event);
    }
}

/// A policy with errors at the start, and a stored policy.
fn fall_back(checker: &mut Checker) {
    let host = Namespace::new();
    let files = Files::new(&policy(0..0));
    let state = files.path("state");
    fs::create_dir(&state).expect("a directory");
    let state = state.to_string_lossy().into_owned();
    let files = Watch::start_with(&host, files, &["--state-dir", &state]).killed();
    fs::write(files.policy(), "x").expect("to write");
    let options = ["--json", "--fallback", "--state-dir", &state];
    let watch = Watch::start_with(&host, files, &options);
    await_event(&watch, "start");
    for event in events(&watch) {
        checker.expect("watch", &event);
    }
}

/// A container that publishes another port.
fn follow_containers(checker: &mut Checker) {
    let host = Namespace::new();
    let list = |port| ApiAnswer::List(docker_api_container("web", [port]));
    let api = FakeDocker::start(list(8080));
    let policy = format!("[[allow]]\ncontainer = \"web\"\n{}", api.table());
    let watch = Watch::start_with(&host, Files::new(&policy), &["--json"]);
    await_event(&watch, "start");
    api.answer(list(8081));
    await_event(&watch, "containers");
    for event in events(&watch) {
        checker.expect("watch", &event);
    }
}

/// A flow that is terminated when its entry ends.
fn end_of_schedule(checker: &mut Checker) {
    const RULES: &str = "table ip nat {
        chain PREROUTING { type nat hook prerouting priority dstnat; fib daddr type local jump DOCKER; }
        chain DOCKER { udp dport 8080 dnat to 192.0.2.1:9000; }
    }";
    let Topology { host, client } = Topology::new();
    host.try_run(&["nft", "-f", "-"], RULES).succeeded();
    let _server = udp_echo(&host, 9000);
    let policy = || {
        let end = SystemTime::now() + Duration::from_secs(8);
        format!(
            "[[allow]]\nname = \"audit\"\nports = [\"8080/udp\"]\nuntil = {}\n\
             [revoke]\nestablished = \"cut\"\n",
            humantime::format_rfc3339_seconds(end)
        )
    };
    let watch = Watch::start_with(&host, Files::new(&policy()), &["--json"]);
    await_event(&watch, "start");
    let flow = Datagrams::open(&client, Topology::ALLOWED, Topology::HOST, 8080);
    wait_for("the flow", || {
        let is_open = flow.echo() == Answer::Answered;
        if !is_open {
            // On a busy machine the entry may have ended before.
            fs::write(watch.files().policy(), policy()).expect("to write");
        }
        is_open.then_some(())
    });
    await_event(&watch, "schedule");
    assert_ne!(flow.echo(), Answer::Answered);
    for event in events(&watch) {
        checker.expect("watch", &event);
    }
}

/// The lines so far. The last one may be incomplete.
pub fn events(watch: &Watch) -> Vec<String> {
    let text = fs::read_to_string(watch.files().path("events")).expect("the events");
    let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
    complete.lines().map(str::to_owned).collect()
}

#[track_caller]
pub fn await_event(watch: &Watch, name: &str) {
    let tag = format!(r#""event":"{name}""#);
    wait_for(name, || events(watch).iter().any(|event| event.contains(&tag)).then_some(()));
}

fn reload(watch: &Watch) {
    let file = watch.files().policy();
    fs::write(&file, "x").expect("to write");
    await_event(watch, "policy_errors");
    fs::write(&file, policy(0..101)).expect("to write");
    await_event(watch, "reload");
}

/// A base chain in the place of a chain that rules jump to makes repairs fail.
fn fail(host: &Namespace, watch: &Watch) {
    let chain = "add chain ip nat DOCKER-BLOCK { type nat hook prerouting priority -100; }";
    let script = format!("flush ruleset\nadd table ip nat\n{chain}");
    host.try_run(&["nft", "-f", "-"], &script).succeeded();
    await_event(watch, "failure");
    host.run(&["nft", "delete chain ip nat DOCKER-BLOCK"]);
    await_event(watch, "repair");
}

/// Removes dwnl's jumps until the log reports flapping, and waits until it reports that this has stopped.
/// The chain stays short, so that the checks stay fast: slow ones leave too few repairs for a report.
fn flap(host: &Namespace, watch: &Watch) {
    let mut nft = Shell::start(host);
    let flapping = || {
        nft.run("flush chain ip nat PREROUTING");
        events(watch).iter().any(|event| event.contains(r#""event":"flapping""#)).then_some(())
    };
    wait_for("flapping", flapping);
    nft.end();
    await_event(watch, "stable");
}

/// A large commit while the program is stopped: its notifications do not fit into the buffer.
fn overrun(host: &Namespace, watch: &Watch) {
    watch.signal(Signal::SIGSTOP);
    let rule = "add rule ip other rules ip saddr 10.9.0.1 tcp dport 80 counter log prefix \"other\" accept\n";
    let script = format!("add chain ip other rules\n{}", rule.repeat(OVERRUN_RULES));
    host.try_run(&["nft", "-f", "-"], &format!("add table ip other\n{script}")).succeeded();
    watch.signal(Signal::SIGCONT);
    await_event(watch, "overrun");
}

/// An interactive nft, in which each line is a transaction.
struct Shell {
    process: std::process::Child,
}

impl Shell {
    fn start(host: &Namespace) -> Shell {
        let start = || {
            let mut nft = Command::new("nft");
            nft.arg("-i").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()
        };
        Shell { process: host.inside(start).expect("nft") }
    }

    fn run(&mut self, line: &str) {
        writeln!(self.process.stdin.as_mut().expect("its input"), "{line}").expect("nft reads");
    }

    fn end(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().expect("its end").success());
    }
}

/// A reader that does not keep up: the pipe is small, and nothing is read until it is full.
fn drop_messages(checker: &mut Checker) {
    let (host, files) = (Namespace::new(), Files::new(&policy(0..0)));
    let path = files.path("events");
    mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a named pipe");
    let reader = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&path);
    let mut reader = reader.expect("to open it");
    fcntl(&reader, FcntlArg::F_SETPIPE_SZ(4096)).expect("to make it small");
    let watch = Watch::start_with(&host, files, &["--json", "--verbose"]);
    for repairs in 1..=5 {
        host.run(&["nft", "delete", "table", "inet", "dwnl"]);
        let noun = if repairs == 1 { "repair" } else { "repairs" };
        watch.notified(&format!("STATUS=the policy is in force; {repairs} {noun}"));
    }
    let mut text = Vec::new();
    wait_for("dropped", || {
        // Without more data the read fails, and what was read so far stays.
        let _ = reader.read_to_end(&mut text);
        String::from_utf8_lossy(&text).contains(r#""event":"dropped""#).then_some(())
    });
    let text = String::from_utf8(text).expect("UTF-8");
    text.lines().for_each(|event| checker.expect("watch", event));
}
