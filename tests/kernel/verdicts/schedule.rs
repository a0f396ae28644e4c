//! Entries that apply at times, with real packets: the kernel decides as the policy says, and ends by
//! itself what ends.

use std::path::Path;
use std::time::{Duration, SystemTime};

use dwnl::policy::{Moment, Policy};

use super::super::support::{Random, apply, dwnl, plan, wait_for};
use super::model::{PORTS, Packet, source};
use super::range::{PUBLISHED, Range};
use super::{SEED, other_ports};

/// Zones in which it is another day, or another minute of the hour.
const ZONES: [&str; 5] =
    ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu", "America/St_Johns"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const POLICIES: usize = 30;

fn packet(is_ip6: bool, source: usize) -> Packet {
    let port = *PORTS.start();
    Packet { is_ip6, source, destination: 0, interface: 0, is_udp: !is_ip6, port }
}

fn from(number: usize) -> String {
    format!("from = [\"{}\", \"{}\"]\n", source(false, number), source(true, number))
}

#[test]
fn an_entry_ends_by_itself() {
    let mut range = Range::new(&PUBLISHED);
    let end = SystemTime::now() + Duration::from_secs(8);
    let until = format!("until = {}\n", Moment::from(end));
    let ports = "ports = [\"5000/tcp\", \"5000/udp\"]\n";
    let policy = format!(
        "[[deny]]\nname = \"banned\"\n{}{until}[[allow]]\nname = \"for now\"\n{ports}{}{until}\
         [[allow]]\n{ports}{}",
        from(1),
        from(0),
        from(1)
    );
    apply(&range.topology.host, &policy);
    range.answer_refusals();
    for is_ip6 in [false, true] {
        assert!(range.is_accepted(&packet(is_ip6, 0)), "allowed until later");
        assert!(!range.is_accepted(&packet(is_ip6, 1)), "denied until later");
    }
    assert!(SystemTime::now() < end, "too slow to see it");
    for is_ip6 in [false, true] {
        wait_for("the end of what is allowed", || {
            (!range.is_accepted(&packet(is_ip6, 0))).then_some(())
        });
        wait_for("the end of what is denied", || {
            range.is_accepted(&packet(is_ip6, 1)).then_some(())
        });
    }
    let ended = Moment::from(SystemTime::now()).to_system_time();
    assert!(ended >= Moment::from(end).to_system_time(), "it ended before");
    apply(&range.topology.host, &policy);
    assert_eq!(plan(&range.topology.host, &policy)["has_changes"], false);
    let check = dwnl(&range.topology.host, &["check", "-f", "-"], &policy);
    let warnings = check.stderr.matches("the entry has ended: it applied until").count();
    assert_eq!(warnings, 2, "{check}");
}

#[test]
fn the_kernel_decides_as_the_policy_does() {
    let mut range = Range::new(&PUBLISHED);
    let mut random = Random::new(SEED);
    let (mut open, mut closed) = (0, 0);
    for number in 0..POLICIES {
        // In every second one a map leads to the rules.
        let others = if number % 2 == 0 { String::new() } else { other_ports(false) };
        let text = random_policy(&mut random) + &others;
        let policy = Policy::parse(&text, "p", Path::new("")).expect("a policy");
        apply(&range.topology.host, &text);
        assert_eq!(plan(&range.topology.host, &text)["has_changes"], false, "{text}");
        range.answer_refusals();
        let is_denied =
            |now| policy.deny()[0].schedule().is_none_or(|schedule| schedule.is_open(now));
        let expected = |source: usize, now| {
            let allows = policy.allow()[0].schedule().is_none_or(|schedule| schedule.is_open(now));
            allows && (source == 0 || !is_denied(now))
        };
        for (is_ip6, source) in [(false, 0), (true, 0), (false, 1), (true, 1)] {
            let before = expected(source, Moment::now());
            let found = range.is_accepted(&packet(is_ip6, source));
            // It may have opened or closed meanwhile.
            let after = expected(source, Moment::now());
            assert!(found == before || found == after, "seed {SEED}, source {source}\n{text}");
            *if found { &mut open } else { &mut closed } += 1;
        }
    }
    assert!(open > POLICIES / 2 && closed > POLICIES / 2, "{open} open, {closed} closed");
}

/// Allows two sources at times, and denies one of them at other times.
fn random_policy(random: &mut Random) -> String {
    let zone = random.of(&ZONES);
    format!(
        "[schedule]\ntime-zone = \"{zone}\"\n[[deny]]\n{}{}[[allow]]\nports = [\"5000\", \
         \"5000/udp\"]\n{}",
        from(1),
        random_schedule(random),
        random_schedule(random)
    )
}

fn random_schedule(random: &mut Random) -> String {
    let mut text = String::new();
    if !random.is_one_in(3) {
        let [first, last] = [random.of(&DAYS), random.of(&DAYS)];
        text += &format!("days = [\"{first}-{last}\"]\n");
    }
    if !random.is_one_in(3) {
        let begin = random.below(24 * 60);
        let end = (begin + 1 + random.below(24 * 60 - 1)) % (24 * 60);
        let time = |minutes: usize| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        text += &format!("hours = [\"{}-{}\"]\n", time(begin), time(end));
    }
    if random.is_one_in(4) {
        text += random.of(&["until = 2026-01-01\n", "until = 2099-12-31T12:00:00\n"]);
    }
    text
}
