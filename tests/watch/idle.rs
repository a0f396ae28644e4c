//! An idle host causes no work.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::support::Watch;
use super::{host, policy};

/// The CPU ticks that the watch has used, and its number of wake-ups.
pub fn work(watch: &Watch) -> (String, String) {
    let stat = fs::read_to_string(Path::new(&format!("/proc/{}/stat", watch.id())));
    let stat = stat.expect("its state");
    // utime and stime are fields 14 and 15; field 2 is the name in parentheses.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let times: Vec<&str> = fields.skip(11).take(2).collect();
    (times.join(" "), watch.status("voluntary_ctxt_switches"))
}

/// Waits until the watch has been idle for this long, and returns its work so far.
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
fn an_idle_watch_never_wakes_up() {
    let host = host();
    let watch = Watch::start(&host, &policy());
    // After the start the files are read once more, when they have been quiet for a while.
    let before = asleep(&watch, Duration::from_secs(1));
    thread::sleep(Duration::from_secs(5));
    assert_eq!(work(&watch), before);
    // Other files in the directory do not wake it up.
    for n in 0..10 {
        fs::write(watch.files().path(&format!("other{n}")), "").expect("to write");
    }
    assert_eq!(work(&watch), before);
}

/// The limit is for a build without optimisation. `cargo bench --bench watch` measures the memory
/// of a release build.
#[test]
fn a_watch_uses_little_memory() {
    let host = host();
    let watch = Watch::start(&host, &policy());
    let peak = watch.status("VmHWM");
    let kilobytes: u64 = peak.trim_end_matches(" kB").parse().expect("a number");
    assert!(kilobytes < 32 * 1024, "{peak}");
}
