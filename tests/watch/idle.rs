//! While nobody does anything it does nothing either.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::support::Watch;
use super::{host, policy};

/// Ticks of the CPU and how often it has been woken up.
pub fn work(watch: &Watch) -> (String, String) {
    let stat = fs::read_to_string(Path::new(&format!("/proc/{}/stat", watch.id())));
    let stat = stat.expect("its state");
    // Behind the name in parentheses: utime and stime are the fields 14 and 15.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let times: Vec<&str> = fields.skip(11).take(2).collect();
    (times.join(" "), watch.status("voluntary_ctxt_switches"))
}

/// Waits until it has done nothing for this long, and returns what it has done by then.
pub fn asleep(watch: &Watch, pause: Duration) -> (String, String) {
    let mut before = work(watch);
    loop {
        thread::sleep(pause);
        let now = work(watch);
        if now == before {
            return now;
        }
        before = now;
    }
}

#[test]
fn it_sleeps_without_an_end() {
    let host = host();
    let watch = Watch::start(&host, &policy());
    // At the start the files are read once more, when they have settled.
    let before = asleep(&watch, Duration::from_secs(1));
    thread::sleep(Duration::from_secs(5));
    assert_eq!(work(&watch), before);
    // Other files beside the policy's do not wake it up.
    for n in 0..10 {
        fs::write(watch.files().path(&format!("other{n}")), "").expect("to write");
    }
    assert_eq!(work(&watch), before);
}

/// That of a build without optimisation; `cargo bench --bench watch` measures it.
#[test]
fn it_takes_little_memory() {
    let host = host();
    let watch = Watch::start(&host, &policy());
    let peak = watch.status("VmHWM");
    let kilobytes: u64 = peak.trim_end_matches(" kB").parse().expect("a number");
    assert!(kilobytes < 32 * 1024, "{peak}");
}
