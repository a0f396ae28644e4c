//! The answers on the control socket, and the events of a trial.

use std::fs;

use super::checker::Checker;
use super::commands::{DOCKER, policy};
use super::support::{ControlClient, Files, Namespace, Watch};

/// Asks for everything once, and checks what is answered.
pub fn check_all(checker: &mut Checker) {
    let host = Namespace::new();
    host.try_run(&["nft", "-f", "-"], DOCKER).succeeded();
    let files = Files::new(&policy(0..0));
    let socket = files.path("control");
    let options = ["--manual", "--control-socket", &socket.to_string_lossy()];
    let watch = Watch::start_with(&host, files, &options);
    let (mut client, mut events) =
        (ControlClient::connect(&socket), ControlClient::connect(&socket));
    checker.expect("control-socket", &events.ask_line(r#"{"request":"subscribe"}"#));
    for request in [
        r#"{"request":"status","id":1}"#,
        r#"{"request":"allow","source":"192.0.2.7","ports":["443"],"for":"1h"}"#,
        r#"{"request":"deny","source":"192.0.2.8","cut":true}"#,
        r#"{"request":"grants"}"#,
        r#"{"request":"revoke","all":true}"#,
        r#"{"request":"stauts"}"#,
        r#"{"request":"confirm","id":2}"#,
    ] {
        checker.expect("control-socket", &client.ask_line(request));
    }
    fs::write(watch.files().policy(), policy(0..1)).expect("to write");
    for request in [
        r#"{"request":"plan"}"#,
        r#"{"request":"reload","confirm_within":"1h"}"#,
        r#"{"request":"rollback"}"#,
        r#"{"request":"reload","confirm_within":"1h"}"#,
        r#"{"request":"confirm"}"#,
    ] {
        checker.expect("control-socket", &client.ask_line(request));
    }
    fs::write(watch.files().policy(), "x").expect("to write");
    checker.expect("control-socket", &client.ask_line(r#"{"request":"reload"}"#));
    loop {
        let line = events.line().expect("an event");
        checker.expect("watch", &line);
        if line.contains(r#""event":"policy_errors""#) {
            return;
        }
    }
}
