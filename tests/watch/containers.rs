//! Docker's API, as a server in the test speaks it: it hangs, lies and comes back.

use std::fs;

use super::host;
use super::support::{
    ApiAnswer, FakeDocker, Files, Namespace, Watch, docker_api_container, wait_for, wait_if,
};

const POLICY: &str = "[[allow]]\nname = \"shop\"\ncontainer = \"web\"\n\
                      from = [\"192.0.2.2\", \"2001:db8::2\", \"2001:db8::3\"]\n\
                      [[allow]]\nports = [\"443\"]\n";

fn list(ports: impl IntoIterator<Item = u16>) -> String {
    docker_api_container("web", ports)
}

/// The ports that the entry by container allows, as iptables shows them.
fn ports(host: &Namespace) -> Vec<String> {
    let rules = host.run(&["iptables", "-t", "nat", "-S", "DOCKER-BLOCK"]);
    let of_shop = rules.lines().filter(|line| line.contains("--comment shop "));
    let port = |line: &str| {
        let rest = line.split("--dport ").nth(1).unwrap_or_default();
        rest.split(' ').next().unwrap_or_default().to_owned()
    };
    of_shop.map(port).collect()
}

#[track_caller]
fn become_ports(host: &Namespace, expected: &[&str]) {
    wait_if(|| (ports(host) == expected).then_some(()))
        .unwrap_or_else(|| panic!("{:?} and not {expected:?}", ports(host)));
}

/// A watch whose state is kept in the directory of its files.
fn watch(host: &Namespace, api: &FakeDocker, policy: &str) -> Watch {
    let files = Files::new(&format!("{policy}{}", api.table()));
    let state = files.path("state");
    fs::create_dir(&state).expect("a directory");
    Watch::start_with(host, files, &["--state-dir", &state.to_string_lossy()])
}

#[test]
fn an_api_that_hangs_holds_up_nothing() {
    let host = host();
    let api = FakeDocker::start(ApiAnswer::Silence);
    let watch = watch(&host, &api, POLICY);
    watch.logged("no answer in time; the ports of containers are not known");
    assert_eq!(ports(&host), [""; 0]);
    // Drift is repaired, and the policy read again, while the API still hangs.
    host.run(&["iptables", "-t", "nat", "-D", "PREROUTING", "1"]);
    watch.logged("repaired ip nat PREROUTING");
    let file = watch.files().policy();
    let text = fs::read_to_string(&file).expect("the policy");
    fs::write(&file, text.replace("443", "444")).expect("to write");
    watch.logged("policy reloaded");
    api.answer(ApiAnswer::List(list([8080])));
    become_ports(&host, &["8080"]);
    // A watch that starts without the API knows what was known last.
    let state = watch.files().path("state");
    let known = state.join("containers.known");
    wait_for("the stored containers", || known.exists().then_some(()));
    api.answer(ApiAnswer::Silence);
    let _files = watch.killed();
    host.run(&["iptables", "-t", "nat", "-F", "DOCKER-BLOCK"]);
    let files = Files::new(&format!("{POLICY}{}", api.table()));
    let watch = Watch::start_with(&host, files, &["--state-dir", &state.to_string_lossy()]);
    watch.logged("no answer in time; the ports of containers are those known last");
    assert_eq!(ports(&host), ["8080"]);
}

#[test]
fn the_ports_follow_what_the_api_says() {
    let host = host();
    let api = FakeDocker::start(ApiAnswer::List(list([8080, 8081, 9000])));
    let watch = watch(&host, &api, POLICY);
    become_ports(&host, &["8080:8081", "9000"]);
    for expected in [8090, 8091] {
        api.answer(ApiAnswer::List(list([expected])));
        become_ports(&host, &[&expected.to_string()]);
    }
    watch.logged("ports of containers have changed");
    // A proxy that refuses events is asked for lists.
    api.answer(ApiAnswer::NoEvents(list([8092])));
    become_ports(&host, &["8092"]);
    watch.logged("the answer has status 403");
    api.answer(ApiAnswer::NoEvents(list([8093])));
    become_ports(&host, &["8093"]);
    // What cannot be right changes nothing.
    api.answer(ApiAnswer::Endless);
    watch.logged("the answer is too long");
    api.answer(ApiAnswer::List("{\"Names\":[]}".to_owned()));
    watch.logged("the answer is not a list of containers");
    assert_eq!(ports(&host), ["8093"]);
    // More rules than a policy may have: the container's ports are left out.
    api.answer(ApiAnswer::List(list((0..32_768).map(|half| half * 2 + 1))));
    watch.logged("they are left out");
    become_ports(&host, &[]);
    api.answer(ApiAnswer::List(list([8094])));
    become_ports(&host, &["8094"]);
}
