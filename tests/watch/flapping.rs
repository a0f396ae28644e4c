//! Programs that change the rules continuously.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::support::{Files, Namespace, Watch, apply, saved, state, wait_if};
use super::{host, metrics, policy, wait_until_in_force};

/// Number of changes made by the other program.
const CHANGES: usize = 1000;

/// Runs nft commands in turn, each in a transaction of its own, with pauses between them.
fn storm(host: &Namespace, commands: &[&str], changes: usize, pause: Duration) {
    let start = || {
        let mut nft = Command::new("nft");
        nft.arg("-i").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()
    };
    let mut nft = host.inside(start).expect("nft");
    let mut input = nft.stdin.take().expect("its input");
    for command in commands.iter().cycle().take(changes) {
        writeln!(input, "{command}").expect("nft reads");
        thread::sleep(pause);
    }
    drop(input);
    assert!(nft.wait().expect("its end").success());
}

/// Upper bound of the repairs that other programs can cause since a given time.
fn repairs_max(since: Instant) -> f64 {
    12.0 + 2.0 * since.elapsed().as_secs_f64() + 1.0
}

#[test]
fn a_storm_of_changes_causes_few_repairs() {
    let (host, control, policy) = (host(), host(), policy());
    let (mut watch, socket) = Watch::start_with_socket(&host, &policy);
    let started = Instant::now();
    let commands = ["insert rule ip nat PREROUTING ip saddr 10.9.0.1 return"];
    storm(&host, &commands, CHANGES, Duration::from_millis(3));
    wait_until_in_force(&host, &policy, "the last repair");
    let repairs = metrics::value(&socket, "dwnl_repairs_total");
    assert!((1.0..repairs_max(started)).contains(&repairs), "{repairs}: {}", watch.log());
    assert!(watch.is_running());
    // If checks are slow, there are too few repairs for flapping to be reported at all.
    let log = watch.log();
    assert!(log.matches(" keeps changing ip nat PREROUTING; ").count() <= 1, "{log}");

    storm(&control, &commands, CHANGES, Duration::ZERO);
    apply(&control, &policy);
    assert_eq!(state(&host), state(&control));
    assert_eq!(saved(&host), saved(&control));
}

/// A program that keeps its rule first in `PREROUTING` until a file exists.
const CONTENDER: &str = r#"
until [ -e "$0" ]; do
    [ "$(iptables -t nat -S PREROUTING | sed -n 2p)" = "-A PREROUTING -i eth7 -j RETURN" ] && continue
    iptables -t nat -D PREROUTING -i eth7 -j RETURN
    iptables -t nat -I PREROUTING -i eth7 -j RETURN
done"#;

#[test]
fn a_contending_program_does_not_prevail() {
    let (host, policy) = (host(), policy());
    let (watch, socket) = Watch::start_with_socket(&host, &policy);
    let started = Instant::now();
    let stop = watch.files().path("stop");
    thread::scope(|scope| {
        scope.spawn(|| host.run(&["sh", "-c", CONTENDER, &stop.to_string_lossy()]));
        let reported = || watch.log().contains(" keeps changing ip nat PREROUTING; ").then_some(());
        let reported = wait_if(reported);
        fs::write(&stop, "").expect("to write");
        assert_eq!(reported, Some(()), "not reported: {}", watch.log());
    });
    wait_until_in_force(&host, &policy, "the last repair");
    let repairs = metrics::value(&socket, "dwnl_repairs_total");
    assert_eq!(watch.log().matches("keeps changing").count(), 1, "{}", watch.log());
    assert!((11.0..repairs_max(started)).contains(&repairs), "{repairs}: {}", watch.log());
    watch.logged(" stable again after ");
    host.run(&["iptables", "-t", "nat", "-F", "DOCKER-BLOCK"]);
    wait_until_in_force(&host, &policy, "a repair afterwards");
}

#[test]
fn a_watch_killed_during_a_repair_can_be_restarted() {
    let (host, policy) = (host(), policy());
    let mut files = Files::new(&policy);
    let commands = ["flush chain ip nat DOCKER-BLOCK", "insert rule ip nat PREROUTING drop"];
    for _ in 0..5 {
        let watch = Watch::start_with(&host, files, &[]);
        let repairs = watch.log().matches("repaired ").count();
        files = thread::scope(|scope| {
            scope.spawn(|| storm(&host, &commands, 50, Duration::ZERO));
            watch.logged_times("repaired ", repairs + 1);
            watch.killed()
        });
    }
    let _watch = Watch::start_with(&host, files, &[]);
    wait_until_in_force(&host, &policy, "the policy in force");
}
