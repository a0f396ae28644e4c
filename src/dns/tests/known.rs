//! What stays known, and when names are looked up again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::*;
use super::name;
use crate::policy::{DnsName, HostName};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn found(addresses: &[&str]) -> Result<Found, LookupError> {
    let addresses = addresses.iter().map(|text| text.parse().expect("an address")).collect();
    Ok(Found { addresses, ttl: Duration::from_secs(60) })
}

fn answer(v4: Result<Found, LookupError>, v6: Result<Found, LookupError>) -> Answer {
    Answer { v4, v6, dropped: Vec::new() }
}

fn home() -> DnsName {
    name("home.example.net").with_stale(Duration::from_secs(100))
}

fn texts(known: &KnownNames, now: u64) -> Vec<String> {
    known.addresses(&home(), at(now)).iter().map(ToString::to_string).collect()
}

#[test]
fn the_last_addresses_stay_until_they_are_stale() {
    let mut known = KnownNames::default();
    let host = home().host().clone();
    known.update(&host, &answer(found(&["192.0.2.7"]), found(&["2001:db8::7"])), at(1_000));
    for error in [LookupError::NoSuchName, LookupError::NoTime] {
        known.update(&host, &answer(Err(error.clone()), Err(error)), at(1_050));
    }
    assert_eq!(texts(&known, 1_099), ["192.0.2.7", "2001:db8::7"]);
    assert_eq!(known.next_end(&[home()], at(1_099)), Some(Duration::from_secs(1)));
    assert_eq!(texts(&known, 1_100), [""; 0]);
    assert_eq!(known.next_end(&[home()], at(1_100)), None);
    // A clock that is set back does not end anything, nor does one that was never right.
    assert_eq!(texts(&known, 5), ["192.0.2.7", "2001:db8::7"]);
    assert_eq!(known.confirmed_at(&host), Some(at(1_000)));
}

#[test]
fn ip_versions_are_kept_apart() {
    let mut known = KnownNames::default();
    let host = home().host().clone();
    known.update(&host, &answer(found(&["192.0.2.7"]), found(&["2001:db8::7"])), at(1_000));
    // A failure of one keeps it; that there is nothing ends it.
    known.update(&host, &answer(found(&["192.0.2.8"]), Err(LookupError::NoTime)), at(1_050));
    assert_eq!(texts(&known, 1_060), ["192.0.2.8", "2001:db8::7"]);
    assert_eq!(texts(&known, 1_120), ["192.0.2.8"]);
    known.update(&host, &answer(found(&["192.0.2.8"]), found(&["2001:db8::8"])), at(1_130));
    known.update(&host, &answer(found(&["192.0.2.8"]), Err(LookupError::NoAddress)), at(1_140));
    assert_eq!(texts(&known, 1_150), ["192.0.2.8"]);
}

#[test]
fn what_was_stored_is_known_again() {
    let mut known = KnownNames::default();
    known.update(home().host(), &answer(found(&["192.0.2.7"]), found(&["2001:db8::7"])), at(1_000));
    let mut again = KnownNames::default();
    for (host, addresses, confirmed_at) in known.iter() {
        again.insert(host.clone(), addresses.to_vec(), confirmed_at);
    }
    assert_eq!(again, known);
    again.retain(&[]);
    assert_eq!(again, KnownNames::default());
    assert_eq!(again.confirmed_at(&"other.example".parse::<HostName>().expect("a name")), None);
}

#[test]
fn failures_are_retried_with_growing_pauses() {
    let seconds = Duration::from_secs;
    let name = home().with_min_ttl(seconds(1));
    let failed = answer(found(&["192.0.2.7"]), Err(LookupError::NoTime));
    let good = answer(found(&["192.0.2.7"]), Err(LookupError::NoAddress));
    let mut refresh = Refresh::default();
    let mut is_about = |answer: &Answer, expected: u64| {
        let pause = refresh.pause(&name, answer);
        assert!((seconds(expected)..=seconds(expected) * 11 / 10).contains(&pause), "{pause:?}");
    };
    for expected in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        is_about(&failed, expected);
    }
    is_about(&good, 60);
    is_about(&failed, 2);
    let slow = home().with_min_ttl(seconds(90));
    for answer in [&good, &failed] {
        assert!(Refresh::default().pause(&slow, answer) >= seconds(90));
    }
    let mut forever = good.clone();
    forever.v4.as_mut().expect("addresses").ttl = Duration::from_secs(u32::MAX.into());
    assert!(Refresh::default().pause(&name, &forever) <= seconds(3_960));
}
