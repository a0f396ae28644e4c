//! A running watch while servers fail and recover.

use std::fs;

use nix::sys::signal::Signal;

use super::policy;
use super::site::Site;
use super::support::{Answer, Dnsmasq, Files, Topology};

const HOME: &str = "192.0.2.2 home.example.net\n";

#[test]
fn a_name_that_cannot_be_resolved_allows_nobody_once_it_is_stale() {
    let site = Site::new();
    let server = Dnsmasq::start(site.host(), HOME, &[]);
    let watch = site.watch(&policy("home.example.net", ", min-ttl = \"1s\", stale = \"6s\""));
    watch.logged("home.example.net: 192.0.2.2 gained access");
    // NXDOMAIN.
    server.set("");
    watch.logged(
        "cannot resolve home.example.net: the name does not exist; it stands for 192.0.2.2",
    );
    assert_eq!(site.answer(Topology::ALLOWED), Answer::Answered);
    watch.logged("home.example.net: 192.0.2.2 lost access");
    assert_eq!(site.answer(Topology::ALLOWED), Answer::TimedOut);
    watch.logged("it allows nobody, because it was resolved last at ");
    server.set(HOME);
    watch.logged("home.example.net is resolved again");
    watch.logged_times("home.example.net: 192.0.2.2 gained access", 2);
    assert_eq!(site.answer(Topology::ALLOWED), Answer::Answered);
}

#[test]
fn a_server_that_hangs_holds_up_nothing() {
    let site = Site::new();
    let server = Dnsmasq::start(site.host(), HOME, &[]);
    let watch = site.watch(&policy("home.example.net", ", min-ttl = \"1s\""));
    watch.logged("home.example.net: 192.0.2.2 gained access");
    server.signal(Signal::SIGSTOP);
    // Repairs and reloads go on while the thread waits.
    watch.logged("cannot resolve home.example.net: no answer from 127.0.0.53:53");
    site.host().run(&["nft", "delete", "table", "inet", "dwnl"]);
    watch.logged("repaired");
    let wider =
        policy("home.example.net", ", min-ttl = \"1s\"").replace("8080/tcp", "8080-8081/tcp");
    fs::write(watch.files().policy(), wider).expect("to write");
    watch.logged("policy reloaded");
    assert_eq!(site.answer(Topology::ALLOWED), Answer::Answered);
    assert_eq!(site.answer(Topology::REFUSED), Answer::TimedOut);
    server.signal(Signal::SIGCONT);
    watch.logged("home.example.net is resolved again");
}

#[test]
fn the_last_known_addresses_are_in_force_at_a_start_without_a_server() {
    let site = Site::new();
    let server = Dnsmasq::start(site.host(), HOME, &[]);
    let text = policy("home.example.net", "");
    let watch = site.watch(&text);
    watch.logged("home.example.net: 192.0.2.2 gained access");
    let names = site.state().join("names.json");
    super::support::wait_for("the addresses to be stored", || names.exists().then_some(()));
    let files = watch.killed();
    drop(server);
    site.host().run(&["nft", "flush", "ruleset"]);
    let watch = site.watch_files(files);
    watch.logged("cannot resolve home.example.net: cannot reach 127.0.0.53:53");
    watch.logged("it stands for 192.0.2.2, found last at ");
    let rules = site.host().run(&["iptables", "-t", "nat", "-S", "DOCKER-BLOCK"]);
    assert!(rules.contains("-s 192.0.2.2/32"), "{rules}");
    // What was never known allows nobody.
    drop(watch);
    fs::remove_file(names).expect("to remove");
    let watch = site.watch_files(Files::new(&text));
    watch.logged("cannot reach 127.0.0.53:53: Connection refused (os error 111); it allows nobody");
    let rules = site.host().run(&["iptables", "-t", "nat", "-S", "DOCKER-BLOCK"]);
    assert!(!rules.contains("192.0.2.2"), "{rules}");
}

#[test]
fn a_changed_policy_has_its_new_names_looked_up() {
    let site = Site::new();
    let hosts = format!("{HOME}192.0.2.66 work.example.net\n");
    let _server = Dnsmasq::start(site.host(), &hosts, &[]);
    let watch = site.watch(&policy("home.example.net", ""));
    watch.logged("home.example.net: 192.0.2.2 gained access");
    fs::write(watch.files().policy(), policy("work.example.net", "")).expect("to write");
    watch.logged("work.example.net: 192.0.2.66 gained access");
    assert_eq!(site.answer(Topology::REFUSED), Answer::Answered);
    assert_eq!(site.answer(Topology::ALLOWED), Answer::TimedOut);
}
