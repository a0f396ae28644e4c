//! Others who do not stop.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::support::{Files, Namespace, Watch, apply, saved, state, wait_if};
use super::{host, metrics, policy, wait_until_in_force};

/// So many changes of somebody else's.
const CHANGES: usize = 1000;

/// Runs commands of nft by turns, each of which is a transaction of its own, with `pause` between.
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

/// The repairs that others can cause in so long a time.
fn repairs_max(since: Instant) -> f64 {
    12.0 + 2.0 * since.elapsed().as_secs_f64() + 1.0
}

#[test]
fn a_storm_of_changes_makes_few_repairs() {
    let (host, control, policy) = (host(), host(), policy());
    let (mut watch, socket) = Watch::start_with_socket(&host, &policy);
    let started = Instant::now();
    let commands = ["insert rule ip nat PREROUTING ip saddr 10.9.0.1 return"];
    storm(&host, &commands, CHANGES, Duration::from_millis(3));
    wait_until_in_force(&host, &policy, "the last repair");
    let repairs = metrics::value(&socket, "dwnl_repairs_total");
    assert!((1.0..repairs_max(started)).contains(&repairs), "{repairs}: {}", watch.log());
    assert!(watch.is_running());
    // Where checks take long there are too few repairs for it to be told at all.
    let log = watch.log();
    assert!(log.matches(" keeps changing ip nat PREROUTING: ").count() <= 1, "{log}");

    storm(&control, &commands, CHANGES, Duration::ZERO);
    apply(&control, &policy);
    assert_eq!(state(&host), state(&control));
    assert_eq!(saved(&host), saved(&control));
}

/// A program that wants its rule to be the first in `PREROUTING`, until a file is there.
const FIGHTER: &str = r#"
until [ -e "$0" ]; do
    [ "$(iptables -t nat -S PREROUTING | sed -n 2p)" = "-A PREROUTING -i eth7 -j RETURN" ] && continue
    iptables -t nat -D PREROUTING -i eth7 -j RETURN
    iptables -t nat -I PREROUTING -i eth7 -j RETURN
done"#;

#[test]
fn a_program_that_fights_does_not_win() {
    let (host, policy) = (host(), policy());
    let (watch, socket) = Watch::start_with_socket(&host, &policy);
    let started = Instant::now();
    let stop = watch.files().path("stop");
    thread::scope(|scope| {
        scope.spawn(|| host.run(&["sh", "-c", FIGHTER, &stop.to_string_lossy()]));
        let told = || watch.log().contains(" keeps changing ip nat PREROUTING: ").then_some(());
        let told = wait_if(told);
        fs::write(&stop, "").expect("to write");
        assert_eq!(told, Some(()), "it is not told: {}", watch.log());
    });
    wait_until_in_force(&host, &policy, "the last repair");
    let repairs = metrics::value(&socket, "dwnl_repairs_total");
    assert_eq!(watch.log().matches("keeps changing").count(), 1, "{}", watch.log());
    assert!((11.0..repairs_max(started)).contains(&repairs), "{repairs}: {}", watch.log());
    watch.logged("others have stopped changing what is repaired");
    host.run(&["iptables", "-t", "nat", "-F", "DOCKER-BLOCK"]);
    wait_until_in_force(&host, &policy, "a repair afterwards");
}

#[test]
fn one_that_is_killed_in_the_middle_can_be_started_again() {
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
