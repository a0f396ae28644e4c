//! The control socket: what programs can have a watch do, and what they cannot do to it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::support::{
    Answer, Connection, ControlClient, Files, Namespace, Output, Topology, Watch, dwnl, output,
    tcp, tcp_echo, wait_for,
};
use super::{DOCKER, host, is_in_force, wait_until_in_force};

const ONE: &str = "[[allow]]\nname = \"one\"\nports = [\"1\"]\n";
const TWO: &str = "[[allow]]\nname = \"two\"\nports = [\"1\", \"2\"]\n";

/// A watch with a control socket.
fn start(host: &Namespace, policy: &str, options: &[&str]) -> (Watch, PathBuf) {
    let files = Files::new(policy);
    let socket = files.path("control");
    let socket_option = ["--control-socket", &socket.to_string_lossy()];
    let watch = Watch::start_with(host, files, &[&socket_option, options].concat());
    (watch, socket)
}

fn connect(socket: &Path) -> ControlClient {
    ControlClient::connect(socket)
}

fn code(answer: &Value) -> &str {
    assert_eq!(answer["answer"], "error", "{answer}");
    answer["code"].as_str().expect("a code")
}

#[test]
fn a_client_sees_the_status_and_the_plan_and_reloads() {
    let host = host();
    let (watch, socket) = start(&host, ONE, &["--manual"]);
    let mut client = connect(&socket);
    let status = client.ask(r#"{"request":"status","id":1}"#);
    assert_eq!((&status["schema"], &status["id"]), (&1.into(), &1.into()));
    assert_eq!(
        (&status["answer"], &status["kernel"]["is_in_sync"]),
        (&"status".into(), &true.into())
    );
    assert_eq!(status["watch"]["pid"], watch.id());
    let file = watch.files().policy();
    let printed = dwnl(&host, &["status", "--json", "-f", &file.to_string_lossy()], "").succeeded();
    let printed: Value = serde_json::from_str(&printed).expect("JSON");
    for key in ["watch", "kernel", "ports", "uncovered_ports", "drops"] {
        assert_eq!(status[key], printed[key], "{key}");
    }
    fs::write(&file, TWO).expect("to write");
    let plan = client.ask(r#"{"request":"plan","id":2}"#);
    assert_eq!((&plan["id"], &plan["has_changes"]), (&2.into(), &true.into()));
    assert!(is_in_force(&host, ONE));
    let reload = client.ask(r#"{"request":"reload","id":3}"#);
    assert_eq!((&reload["answer"], &reload["has_changes"]), (&"reload".into(), &true.into()));
    assert!(reload["confirm_until"].is_null() && is_in_force(&host, TWO), "{reload}");
    fs::write(&file, "x").expect("to write");
    for request in [r#"{"request":"plan"}"#, r#"{"request":"reload"}"#] {
        let answer = client.ask(request);
        assert_eq!(code(&answer), "invalid_policy");
        assert_eq!(answer["errors"][0]["line"], 1, "{answer}");
    }
    assert!(is_in_force(&host, TWO));
}

/// Grants decide about real connections. A listener on the host, reached over IPv6, takes the role of
/// docker-proxy.
#[test]
fn a_client_lets_sources_in_and_keeps_them_out() {
    let Topology { host, client: source } = Topology::new();
    host.try_run(&["iptables-restore"], DOCKER).succeeded();
    let _proxy = tcp_echo(&host, 8080);
    let policy = format!(
        "[[allow]]\nname = \"web\"\nports = [\"8080\"]\nfrom = [\"{}\"]\n",
        Topology::ALLOWED6
    );
    let reaches = |from| tcp(&source, from, Topology::HOST6, 8080) == Answer::Answered;
    assert!(reaches(Topology::ALLOWED6) && reaches(Topology::REFUSED6));
    let (_watch, socket) = start(&host, &policy, &[]);
    let mut client = connect(&socket);
    assert!(reaches(Topology::ALLOWED6) && !reaches(Topology::REFUSED6));
    let refused = Topology::REFUSED6;
    let answer = client.ask(&format!(
        r#"{{"request":"allow","source":"{refused}","ports":["web"],"for":"1h","note":"a test"}}"#
    ));
    assert_eq!((&answer["answer"], &answer["added"]), (&"allow".into(), &1.into()), "{answer}");
    assert!(reaches(Topology::REFUSED6));
    let allowed = Topology::ALLOWED6;
    let answer =
        client.ask(&format!(r#"{{"request":"deny","source":"{allowed}","cut":true,"id":9}}"#));
    assert!(answer["id"] == 9 && answer["flows_terminated"].is_u64(), "{answer}");
    assert!(!reaches(Topology::ALLOWED6));
    let grants = client.ask(r#"{"request":"grants"}"#);
    assert_eq!((&grants["grant_count"], &grants["ban_count"]), (&1.into(), &1.into()));
    assert_eq!(grants["grants"][0]["note"], "a test");
    let answer = client.ask(&format!(r#"{{"request":"revoke","source":"{allowed}"}}"#));
    assert_eq!(answer["ended"], 1, "{answer}");
    assert!(reaches(Topology::ALLOWED6) && reaches(Topology::REFUSED6));
    assert_eq!(client.ask(r#"{"request":"revoke","all":true}"#)["ended"], 1);
    assert!(!reaches(Topology::REFUSED6));
    for (request, expected) in [
        (
            r#"{"request":"allow","source":"192.0.2.9","ports":["web"],"for":"0s"}"#,
            "invalid_argument",
        ),
        (
            r#"{"request":"allow","source":"192.0.2.9","ports":["wbe"],"for":"1h"}"#,
            "invalid_argument",
        ),
        (r#"{"request":"deny","source":"example.net"}"#, "invalid_argument"),
        (r#"{"request":"deny","source":"192.0.2.9","persist":true}"#, "failed"),
        (r#"{"request":"revoke"}"#, "invalid_argument"),
        (r#"{"request":"revoke","all":true,"source":"192.0.2.9"}"#, "invalid_argument"),
        (r#"{"request":"deny"}"#, "invalid_request"),
    ] {
        assert_eq!(code(&client.ask(request)), expected, "{request}");
    }
}

#[test]
fn without_the_guard_there_are_no_grants() {
    let host = host();
    let (_watch, socket) = start(&host, &format!("{ONE}[guard]\nenabled = false\n"), &[]);
    let answer = connect(&socket).ask(r#"{"request":"deny","source":"192.0.2.7"}"#);
    assert_eq!(code(&answer), "no_guard");
}

#[test]
fn a_subscriber_reads_every_event() {
    let host = host();
    let (watch, socket) = start(&host, ONE, &["-q"]);
    let mut client = connect(&socket);
    assert_eq!(client.ask(r#"{"request":"subscribe","id":5}"#)["answer"], "subscribe");
    host.run(&["nft", "delete", "table", "inet", "dwnl"]);
    let repair = client.event("repair");
    assert!(repair["schema"] == 1 && repair["time"].is_string(), "{repair}");
    assert_eq!(repair["commits"][0]["process"], "nft");
    fs::write(watch.files().policy(), TWO).expect("to write");
    assert_eq!(client.event("reload")["has_changes"], true);
    // Requests go on to be answered.
    assert_eq!(client.ask(r#"{"request":"grants","id":6}"#)["id"], 6);
    fs::write(watch.files().policy(), "x\n").expect("to write");
    assert_eq!(client.event("policy_errors")["errors"][0]["line"], 1);
    watch.signal(Signal::SIGTERM);
    client.event("stop");
    assert_eq!(client.line(), None);
    wait_for("its end", || (!socket.exists()).then_some(()));
}

#[test]
fn a_trial_ends_with_the_policy_of_before_unless_it_is_confirmed() {
    let host = host();
    let files = Files::new(ONE);
    let (state, socket) = (files.path("state"), files.path("control"));
    fs::create_dir(&state).expect("a directory");
    let (state_option, path) =
        (state.to_string_lossy().into_owned(), socket.to_string_lossy().into_owned());
    let options = ["--manual", "--state-dir", &state_option, "--control-socket", &path];
    let watch = Watch::start_with(&host, files, &options);
    let (mut client, mut events) = (connect(&socket), connect(&socket));
    events.ask(r#"{"request":"subscribe"}"#);
    let stored = || fs::read_to_string(state.join("policy.applied")).expect("a stored policy");
    for request in [r#"{"request":"confirm"}"#, r#"{"request":"rollback"}"#] {
        assert_eq!(code(&client.ask(request)), "no_trial");
    }
    // Not confirmed.
    fs::write(watch.files().policy(), TWO).expect("to write");
    let reload = client.ask(r#"{"request":"reload","confirm_within":"2s"}"#);
    assert!(reload["confirm_until"].is_string() && reload["has_changes"] == true, "{reload}");
    assert_eq!(events.event("trial")["confirm_until"], reload["confirm_until"]);
    assert!(!stored().contains("two"));
    assert_eq!(events.event("rolled_back")["reason"], "time_over");
    assert!(is_in_force(&host, ONE));
    // Rolled back.
    client.ask(r#"{"request":"reload","confirm_within":"1h"}"#);
    assert!(is_in_force(&host, TWO));
    assert_eq!(client.ask(r#"{"request":"status"}"#)["is_on_trial"], true);
    let errors = dwnl(&host, &["confirm"], "").failed(1);
    assert!(errors.contains("has a policy on trial"), "{errors}");
    // Repairs keep the policy on trial in force, and nothing else replaces it.
    host.run(&["nft", "delete", "table", "inet", "dwnl"]);
    events.event("repair");
    assert!(is_in_force(&host, TWO));
    for request in [r#"{"request":"reload"}"#, r#"{"request":"reload","confirm_within":"1h"}"#] {
        assert_eq!(code(&client.ask(request)), "on_trial");
    }
    let file = watch.files().policy().to_string_lossy().into_owned();
    let errors = dwnl(&host, &["apply", "-f", &file], "").failed(1);
    assert!(errors.contains("a policy is on trial"), "{errors}");
    assert_eq!(client.ask(r#"{"request":"rollback"}"#)["is_confirmed"], false);
    assert_eq!(events.event("rolled_back")["reason"], "requested");
    assert!(is_in_force(&host, ONE) && stored().contains("one"));
    // Confirmed.
    client.ask(r#"{"request":"reload","confirm_within":"1h"}"#);
    assert_eq!(client.ask(r#"{"request":"confirm"}"#)["is_confirmed"], true);
    events.event("confirmed");
    assert!(is_in_force(&host, TWO) && stored().contains("two"));
    // The end of the program.
    fs::write(watch.files().policy(), ONE).expect("to write");
    client.ask(r#"{"request":"reload","confirm_within":"1h"}"#);
    assert!(is_in_force(&host, ONE));
    watch.signal(Signal::SIGTERM);
    assert_eq!(events.event("rolled_back")["reason"], "stopped");
    wait_until_in_force(&host, TWO, "the policy of before");
}

/// Other commands know of the trial, and that nobody ends it once the watch is killed.
#[test]
fn the_status_and_the_doctor_see_a_trial_of_the_watch() {
    let host = host();
    let (watch, socket) = start(&host, ONE, &["--manual"]);
    let file = watch.files().policy().to_string_lossy().into_owned();
    let seen = || {
        let print = |command| {
            let printed = dwnl(&host, &[command, "--json", "-f", &file], "");
            serde_json::from_str::<Value>(&printed.stdout).expect("JSON")
        };
        let (status, doctor) = (print("status"), print("doctor"));
        let findings = doctor["findings"].as_array().expect("findings");
        assert!(findings.iter().any(|it| it["check"] == "rules"), "{doctor}");
        let is_found = findings.iter().any(|it| it["check"] == "trial");
        (status["is_on_trial"].as_bool().expect("a boolean"), is_found)
    };
    assert_eq!(seen(), (false, false));
    fs::write(&file, TWO).expect("to write");
    let mut client = connect(&socket);
    client.ask(r#"{"request":"reload","confirm_within":"1h"}"#);
    assert_eq!(seen(), (true, true));
    let status = dwnl(&host, &["status", "-f", &file], "").succeeded();
    assert!(status.contains("`confirm` over the control socket"), "{status}");
    client.ask(r#"{"request":"rollback"}"#);
    assert_eq!(seen(), (false, false));
    client.ask(r#"{"request":"reload","confirm_within":"1h"}"#);
    assert_eq!(seen(), (true, true));
    let _files = watch.killed();
    assert_eq!(seen(), (false, false));
    assert!(is_in_force(&host, TWO));
}

/// What only the policy on trial let in does not stay, other flows do.
#[test]
fn a_rollback_terminates_the_flows_of_the_trial() {
    let Topology { host, client: source } = Topology::new();
    host.try_run(&["iptables-restore"], DOCKER).succeeded();
    let _proxy = tcp_echo(&host, 8080);
    let policy =
        |from: &[&str]| format!("[[allow]]\nname = \"web\"\nports = [\"8080\"]\nfrom = {from:?}\n");
    let (watch, socket) = start(&host, &policy(&[Topology::ALLOWED6]), &["--manual"]);
    let mut client = connect(&socket);
    let open = |from| Connection::open(&source, from, Topology::HOST6, 8080).expect("a connection");
    let mut before = open(Topology::ALLOWED6);
    assert_eq!(before.echo(), Answer::Answered);
    let both = policy(&[Topology::ALLOWED6, Topology::REFUSED6]);
    fs::write(watch.files().policy(), both).expect("to write");
    client.ask(r#"{"request":"reload","confirm_within":"1h"}"#);
    let mut during = open(Topology::REFUSED6);
    assert_eq!(during.echo(), Answer::Answered);
    let answer = client.ask(r#"{"request":"rollback"}"#);
    assert!(answer["notes"][0].as_str().is_some_and(|it| it.contains("terminated: 1")), "{answer}");
    assert_ne!(during.expecting_silence().echo(), Answer::Answered);
    assert_eq!(before.echo(), Answer::Answered);
}

#[test]
fn a_file_that_changes_during_a_trial_is_read_afterwards() {
    let host = host();
    let (watch, socket) = start(&host, ONE, &[]);
    let mut client = connect(&socket);
    let mut events = connect(&socket);
    events.ask(r#"{"request":"subscribe"}"#);
    client.ask(r#"{"request":"reload","confirm_within":"1h"}"#);
    fs::write(watch.files().policy(), TWO).expect("to write");
    events.event("changed");
    assert!(is_in_force(&host, ONE));
    assert_eq!(client.ask(r#"{"request":"rollback"}"#)["is_confirmed"], false);
    events.event("reload");
    assert!(is_in_force(&host, TWO));
}

/// Runs a Perl script as another user.
fn as_user(ids: &[&str], script: &str) -> Output {
    output(&[&["setpriv"], ids, &["perl", "-e", script]].concat(), "")
}

#[test]
fn only_root_is_served_unless_a_group_is_named() {
    const GROUP: &str = "54321";
    let host = host();
    let attempt = |socket: &Path| {
        format!(
            r#"use Socket; $SIG{{PIPE}} = "IGNORE"; socket(S, AF_UNIX, SOCK_STREAM, 0) or die;
            connect(S, pack_sockaddr_un("{}")) or do {{ print "$!\n"; exit 0 }};
            syswrite(S, "{{\"request\":\"grants\"}}\n");
            my $reply; print sysread(S, $reply, 9) ? "$reply\n" : "not served\n";"#,
            socket.display()
        )
    };
    let reachable = |socket: &Path| {
        let directory = socket.parent().expect("a directory");
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).expect("a mode");
    };
    let outsider = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let member = ["--reuid", "65534", "--regid", "65534", "--groups", GROUP];

    let (_private, socket) = start(&host, ONE, &[]);
    reachable(&socket);
    assert_eq!(fs::metadata(&socket).expect("the socket").mode() & 0o777, 0o600);
    assert_eq!(as_user(&outsider, &attempt(&socket)).succeeded(), "Permission denied\n");
    assert_eq!(as_user(&[], &attempt(&socket)).succeeded(), "{\"schema\"\n");
    // Even if anyone may connect, only root is served.
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).expect("a mode");
    assert_eq!(as_user(&outsider, &attempt(&socket)).succeeded(), "not served\n");

    let other = Namespace::new();
    let (_shared, socket) = start(&other, ONE, &["--control-group", GROUP]);
    reachable(&socket);
    let found = fs::metadata(&socket).expect("the socket");
    assert_eq!((found.mode() & 0o777, found.gid().to_string()), (0o660, GROUP.to_owned()));
    assert_eq!(as_user(&outsider, &attempt(&socket)).succeeded(), "Permission denied\n");
    assert_eq!(as_user(&member, &attempt(&socket)).succeeded(), "{\"schema\"\n");
    let unknown =
        dwnl(&host, &["watch", "--control-socket", "x", "--control-group", "nobodies"], "");
    assert!(unknown.failed(2).contains("there is no such group"));
}

#[test]
fn hostile_clients_do_not_disturb_the_watch() {
    let host = host();
    let (mut watch, socket) = start(&host, ONE, &[]);
    for line in ["", "x", "[]", "{}", r#"{"request":"status","x":1}"#, "\u{0}"] {
        assert_eq!(code(&connect(&socket).ask(line)), "invalid_request", "{line}");
    }
    let mut long = connect(&socket);
    long.send(&[b'x'; 1 << 20]);
    assert_eq!(long.line().map(|line| line.contains("longer than 16384 bytes")), Some(true));
    assert_eq!(long.line(), None);
    // Half a request, and one whose answer is never read.
    let mut silent = UnixStream::connect(&socket).expect("a listener");
    silent.write_all(b"{\"request\"").expect("to write");
    let mut deaf = UnixStream::connect(&socket).expect("a listener");
    deaf.write_all(b"{\"request\":\"grants\"}\n").expect("to write");
    // Those that leave at once, and more than there is room for.
    for _ in 0..200 {
        let mut leaving = UnixStream::connect(&socket).expect("a listener");
        let _ = leaving.write_all(b"{\"request\":\"status\"}\n");
    }
    let mut subscribers: Vec<ControlClient> = (0..16).map(|_| connect(&socket)).collect();
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.ask(r#"{"request":"subscribe"}"#)["answer"], "subscribe");
    }
    let answer = connect(&socket).line().expect("an answer");
    assert!(answer.contains("too_many_clients"), "{answer}");
    drop(subscribers);
    // The same user is served again, and repairs go on.
    let served = || {
        let mut client = connect(&socket);
        client.send(b"{\"request\":\"grants\"}\n");
        client.line().filter(|line| line.contains("\"answer\":\"grants\""))
    };
    wait_for("room", served);
    host.run(&["nft", "flush", "ruleset"]);
    wait_until_in_force(&host, ONE, "the repair");
    assert!(watch.is_running());
}

/// An example as it is shipped, with words of the command line.
fn example(program: &str, socket: &Path, words: &[&str]) -> Output {
    let path = format!("{}/examples/control/{program}", env!("CARGO_MANIFEST_DIR"));
    let socket = format!("DWNL_SOCKET={}", socket.display());
    output(&[&["env", &socket, &path], words].concat(), "")
}

#[test]
fn the_example_clients_work() {
    let host = host();
    let (watch, socket) = start(&host, ONE, &["--manual"]);
    for program in ["client.py", "client.sh"] {
        let run = |words: &[&str]| -> Value {
            let text = example(program, &socket, words).succeeded();
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{program}: {error}: {text}"))
        };
        fs::write(watch.files().policy(), TWO).expect("to write");
        assert_eq!(run(&["status"])["file"]["state"], "changed");
        assert_eq!(run(&["plan"])["has_changes"], true);
        assert_eq!(run(&["reload", "confirm_within=1h"])["has_changes"], true);
        assert_eq!(run(&["rollback"])["is_confirmed"], false);
        assert!(is_in_force(&host, ONE));
        let denied = run(&["deny", "source=192.0.2.7", "ports=443,53/udp", "for=10m", "cut=true"]);
        assert_eq!((&denied["added"], &denied["flows_terminated"]), (&2.into(), &0.into()));
        assert_eq!(run(&["revoke", "all=true"])["ended"], 2);
        let failed = example(program, &socket, &["confirm"]);
        assert_eq!(failed.status.code(), Some(1), "{failed}");
        assert!(format!("{failed}").contains("no_trial"), "{failed}");
    }
}
