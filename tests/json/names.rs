//! What commands print of names in a policy.

use tempfile::TempDir;

use super::checker::Checker;
use super::events::{await_event, events};
use super::support::{Dnsmasq, Files, Namespace, ResolvConf};

const POLICY: &str = "[[allow]]\nname = \"web\"\nports = [\"8443\"]\n\
    from = [{ dns = \"home.example.net\", min-ttl = \"1s\" }]\n";
const HOME: &str = "192.0.2.2 home.example.net\n2001:db8::2 home.example.net\n";

/// Checks what is printed while a name is resolved, is not, and has another address.
pub fn check_all(checker: &mut Checker) {
    let (host, conf) = (Namespace::new(), ResolvConf::new());
    let state = TempDir::new().expect("a directory");
    let state = state.path().to_string_lossy();
    let printed = |args: &[&str]| {
        let command = conf.command();
        let dwnl = [env!("CARGO_BIN_EXE_dwnl")];
        let command = command.iter().map(String::as_str).chain(dwnl).chain(args.iter().copied());
        let command: Vec<&str> = command.chain(["--json", "-f", "-"]).collect();
        host.try_run(&command, POLICY).succeeded().trim_end().to_owned()
    };
    checker.expect("check", &printed(&["check", "--resolve"]));
    checker.expect("status", &printed(&["status", "--state-dir", &state]));
    let server = Dnsmasq::start(&host, HOME, &[]);
    checker.expect("check", &printed(&["check", "--resolve"]));
    checker.expect("plan", &printed(&["plan", "-v"]));
    checker.expect("apply", &printed(&["apply", "--state-dir", &state]));
    checker.expect("status", &printed(&["status", "--state-dir", &state]));

    let options = ["--json", "--state-dir", &state];
    let watch = Files::new(POLICY).launch_through(&conf.command(), &host, &options, &[]);
    watch.notified("READY=1");
    server.set("192.0.2.66 home.example.net\n");
    await_event(&watch, "names");
    server.set("");
    await_event(&watch, "warning");
    server.set(HOME);
    await_event(&watch, "resolved");
    for event in events(&watch) {
        checker.expect("watch", &event);
    }
}
