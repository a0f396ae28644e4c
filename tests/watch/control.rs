//! Other commands while a watch runs: they go through it or refuse. And who may talk to it.

use std::fs;
use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::Child;

use nix::sys::signal::Signal;

use super::support::{Files, Namespace, Output, Watch, companion, dwnl, state, wait_for};
use super::{host, is_in_force, policy, wait_until_in_force};

const ONE: &str = "[[allow]]\nname = \"one\"\nports = [\"1\"]\n";
const TWO: &str = "[[allow]]\nname = \"two\"\nports = [\"1\", \"2\"]\n";

fn apply(host: &Namespace, watch: &Watch, options: &[&str]) -> Output {
    let file = watch.files().policy();
    dwnl(host, &[&["apply", "-f", &file.to_string_lossy()], options].concat(), "")
}

/// Connects to the watch's socket in the namespace.
fn connect(host: &Namespace) -> UnixStream {
    try_connect(host).expect("a listener")
}

fn try_connect(host: &Namespace) -> io::Result<UnixStream> {
    let address = SocketAddr::from_abstract_name("dwnl-watch")?;
    host.inside(|| UnixStream::connect_addr(&address))
}

#[test]
fn an_apply_of_the_same_policy_goes_through_the_watch() {
    let host = host();
    let watch = Watch::start(&host, ONE);
    let output = apply(&host, &watch, &[]);
    assert!(output.stdout.contains("up to date: "), "{output}");
    fs::write(watch.files().policy(), TWO).expect("to write");
    let output = apply(&host, &watch, &["-v"]);
    assert!(is_in_force(&host, TWO), "{output}");
    let text = output.succeeded();
    let by = format!("applied by dwnl watch (process {}, policy ", watch.id());
    assert!(text.contains("--dport 2 ") || text.contains("up to date: "), "{text}");
    assert!(text.starts_with(&by), "{text}");
    let json = apply(&host, &watch, &["--json"]).succeeded();
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["schema"], 1);
    assert_eq!(json["has_changes"], false);
    assert!(json["warnings"].is_array(), "{json}");
    assert_eq!(apply(&host, &watch, &["-q"]).succeeded(), "");
}

#[test]
fn an_invalid_policy_has_the_same_exit_status_through_the_watch() {
    let host = host();
    let watch = Watch::start(&host, ONE);
    fs::write(watch.files().policy(), "x").expect("to write");
    let output = apply(&host, &watch, &["--json"]);
    assert!(output.stdout.starts_with("{\"schema\":1,\"is_valid\":false,"), "{output}");
    let errors = output.failed(2);
    assert!(errors.contains("policy.toml:1:"), "{errors}");
    fs::remove_file(watch.files().policy()).expect("to remove it");
    let errors = apply(&host, &watch, &[]).failed(2);
    assert!(errors.contains("policy.toml: no such file"), "{errors}");
    assert!(is_in_force(&host, ONE));
}

#[test]
fn an_apply_that_the_kernel_rejects_fails_through_the_watch() {
    let host = host();
    let watch = Watch::start(&host, ONE);
    let chain = "add chain ip nat DOCKER-BLOCK { type nat hook prerouting priority -100; }";
    let script = format!("flush ruleset\nadd table ip nat\n{chain}");
    host.try_run(&["nft", "-f", "-"], &script).succeeded();
    let errors = apply(&host, &watch, &[]).failed(1);
    assert!(
        errors.starts_with("error: chain ip nat DOCKER-BLOCK exists as a base chain"),
        "{errors}"
    );
}

#[test]
fn other_commands_refuse_while_a_watch_runs() {
    let (host, policy) = (host(), policy());
    let mut watch = Watch::start(&host, ONE);
    let before = state(&host);
    let who =
        format!("dwnl watch (process {}, policy {}", watch.id(), watch.files().policy().display());
    let second = Files::new(&policy);
    let file = second.policy().to_string_lossy().into_owned();
    for (command, sentence) in [
        (&["remove"][..], "would install the rules again; stop it first"),
        (
            &["apply", "-f", "-"],
            "would undo this apply; change that policy, or stop the watch first",
        ),
        (
            &["apply", "-f", &file],
            "would undo this apply; change that policy, or stop the watch first",
        ),
        (&["watch", "-f", &file], "is already running in this network namespace; stop it first"),
    ] {
        let errors = dwnl(&host, command, &policy).failed(1);
        assert!(errors.contains(&who) && errors.contains(sentence), "{command:?}: {errors}");
        assert_eq!(state(&host), before, "{command:?}");
    }
    assert!(watch.is_running());
    // An error in the policy is reported first.
    assert!(dwnl(&host, &["apply", "-f", "-"], "x").failed(2).contains("<stdin>:1:"));
    // From another namespace as well.
    let caller = Namespace::new();
    let errors = dwnl(&caller, &["--netns", &host.path(), "remove"], "").failed(1);
    assert!(errors.contains(&who), "{errors}");
    dwnl(&caller, &["apply", "-f", "-"], &policy).succeeded();
    let files = watch.killed();
    dwnl(&host, &["apply", "-f", "-"], &policy).succeeded();
    let _next = Watch::start_with(&host, files, &[]);
    wait_until_in_force(&host, ONE, "the next watch");
}

#[test]
fn a_watch_that_does_not_answer_is_not_circumvented() {
    let host = host();
    let watch = Watch::start(&host, ONE);
    watch.signal(Signal::SIGSTOP);
    let who = format!("dwnl watch (process {})", watch.id());
    for command in [&["remove"][..], &["apply", "-f", "-"]] {
        let errors = dwnl(&host, command, TWO).failed(1);
        assert!(errors.contains(&who), "{errors}");
    }
    watch.signal(Signal::SIGCONT);
    assert!(is_in_force(&host, ONE));
}

#[test]
fn a_manual_watch_applies_a_changed_policy_on_request_only() {
    let host = host();
    let watch = Watch::start_with(&host, Files::new(ONE), &["--manual"]);
    let change = |policy| fs::write(watch.files().policy(), policy).expect("to write");
    let announced = |times| watch.logged_times("has changed; apply it with `dwnl apply`", times);
    change(TWO);
    announced(1);
    assert!(is_in_force(&host, ONE));
    // Drift is repaired all the same.
    host.run(&["iptables", "-t", "nat", "-F", "DOCKER-BLOCK"]);
    wait_until_in_force(&host, ONE, "the repair");
    watch.signal(Signal::SIGHUP);
    wait_until_in_force(&host, TWO, "SIGHUP");
    change("x");
    announced(2);
    apply(&host, &watch, &[]).failed(2);
    change(ONE);
    announced(3);
    assert!(is_in_force(&host, TWO));
    apply(&host, &watch, &[]).succeeded();
    assert!(is_in_force(&host, ONE));
    assert!(!watch.log().contains("cannot "), "{}", watch.log());
}

#[test]
fn malformed_requests_do_not_disturb_the_watch() {
    let host = host();
    let mut watch = Watch::start(&host, ONE);
    let mut silent = connect(&host);
    for request in
        [&b"\n"[..], b"{}\n", b"{\"request\":\"reload\"}\n", &[b'x'; 100_000], b"\xff\xfe\n"]
    {
        let mut stream = connect(&host);
        // The watch may close the connection before all is written.
        let _ = stream.write_all(request);
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        assert_eq!(reply, b"", "{request:?}");
    }
    // More connections than it keeps, which are closed or time out.
    let many: Vec<UnixStream> = (0..40).map(|_| connect(&host)).collect();
    let mut reply = Vec::new();
    silent.read_to_end(&mut reply).expect("the end of the connection");
    drop(many);
    apply(&host, &watch, &[]).succeeded();
    assert!(watch.is_running());
}

/// Runs a Perl script as a user that owns nothing, with the address of the watch's socket in `$watch`.
fn as_nobody(host: &Namespace, script: &str) -> Child {
    let setup = r#"use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0) or die $!;
        my $watch = pack("Sa*", AF_UNIX, "\0dwnl-watch");"#;
    companion(&host.path())
        .args(["--reuid", "65534", "--clear-groups", "perl", "-e", &format!("{setup}{script}")])
        .spawn()
        .expect("setpriv")
}

#[test]
fn a_foreign_holder_of_the_name_does_not_stop_a_watch() {
    let host = host();
    let script = "bind(S, $watch) or die $!; listen(S, 5) or die $!; sleep 600;";
    let mut holder = as_nobody(&host, script);
    wait_for("the holder", || try_connect(&host).ok());
    let who = format!("process {} of user 65534, which is not dwnl watch", holder.id());
    let watch = Watch::start(&host, ONE);
    watch.logged(&who);
    let output = dwnl(&host, &["apply", "-f", "-"], ONE);
    assert!(output.stderr.contains(&who), "{output}");
    output.succeeded();
    holder.kill().and_then(|()| holder.wait()).expect("its end");
}

#[test]
fn other_users_are_not_served() {
    let host = host();
    let mut watch = Watch::start(&host, ONE);
    let script = r#"connect(S, $watch) or die $!; $SIG{PIPE} = "IGNORE";
        syswrite(S, "{\"request\":\"status\"}\n"); exit(sysread(S, my $reply, 100) ? 1 : 0);"#;
    let status = as_nobody(&host, script).wait().expect("its end");
    assert!(status.success(), "{status}");
    assert!(watch.is_running());
}
