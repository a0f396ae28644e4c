//! The elements of the sets, as they are written, replaced, merged and read.

use std::time::Duration;

use super::super::support::Random;
use super::{Allow, Deny, Site, grant};

#[test]
fn the_same_again_is_extended_and_shortened() {
    let mut site = Site::new();
    for source in ["192.0.2.7", "2001:db8::7", "192.0.2.0/24", "2001:db8::/64"] {
        for seconds in [Some(60), Some(3600), None, Some(600)] {
            let ban = grant(Deny, source, None, seconds);
            site.table.add(std::slice::from_ref(&ban)).expect("success");
            let report = site.table.read().expect("a report");
            let found = report.grants.iter().find(|it| it.source == ban.source).expect("a ban");
            let range = |seconds| Duration::from_secs(seconds - 30)..=Duration::from_secs(seconds);
            let is_right = match (seconds, found.remaining) {
                (Some(seconds), Some(remaining)) => range(seconds).contains(&remaining),
                (wanted, found) => wanted.is_none() && found.is_none(),
            };
            assert!(is_right, "{seconds:?}: {found:?}");
            assert_eq!(found.note.as_deref(), Some("a note"));
        }
    }
    assert_eq!(site.list().len(), 4);
}

#[test]
fn overlapping_networks_are_merged_as_the_kernel_accepts_them() {
    let mut site = Site::new();
    for (source, seconds) in [
        ("10.0.0.0/8", Some(600)),
        ("10.0.0.0/16", Some(6000)),
        ("10.0.0.0-10.0.0.9", None),
        ("10.0.0.5-10.3.0.0", Some(60)),
        ("0.0.0.0/0", Some(1200)),
    ] {
        site.table.add(&[grant(Deny, source, None, seconds)]).expect(source);
    }
    assert_eq!(
        site.list(),
        [
            "banned 0.0.0.0-9.255.255.255",
            "banned 10.0.0.0-10.0.0.9",
            "banned 10.0.0.10-10.0.255.255",
            "banned 10.1.0.0-255.255.255.255",
        ]
    );
}

#[test]
fn random_grants_are_read_as_they_were_added() {
    let mut site = Site::new();
    let mut random = Random::new(7);
    for _ in 0..40 {
        let mut below = |number| random.below(number);
        let source = match below(3) {
            0 => format!("10.0.{}.{}", below(4), below(256)),
            1 => format!("10.0.{}.0/{}", below(256), 24 + below(8)),
            _ => format!("2001:db8::{:x}-2001:db8::ff{:x}", below(99), below(99)),
        };
        let ports = match below(3) {
            0 => format!("{}/tcp", 1 + below(65_535)),
            1 => format!("{}-{}/udp", 1 + below(99), 100 + below(65_000)),
            _ => "1-65535/sctp".to_owned(),
        };
        let action = if below(2) == 0 { Allow } else { Deny };
        let ports = Some(&*ports).filter(|_| action == Allow || below(2) == 0);
        site.table.clear().expect("success");
        let added = grant(action, &source, ports, None);
        site.table.add(std::slice::from_ref(&added)).expect("success");
        assert_eq!(site.table.read().expect("a report").grants, [added]);
    }
}

#[test]
fn nft_reads_and_writes_them() {
    let mut site = Site::new();
    site.table
        .add(&[
            grant(Deny, "192.0.2.7", None, Some(3600)),
            grant(Deny, "2001:db8::/32", Some("80-90/tcp"), None),
            grant(Allow, "192.0.2.9", Some("443"), Some(3600)),
        ])
        .expect("success");
    let host = &site.topology.host;
    let set = |name: &str| host.run(&["nft", "list", "set", "inet", "dwnl", name]);
    let banned = set("banned-ip");
    assert!(banned.contains("192.0.2.7 timeout 1h expires"), "{banned}");
    assert!(banned.contains("comment \"a note\""), "{banned}");
    let ranges = set("banned-ip6-ranges");
    assert!(ranges.contains("2001:db8::/32 . tcp . 80-90 comment \"a note\""), "{ranges}");
    host.run(&["nft", "add", "element", "inet", "dwnl", "banned-ip", "{ 192.0.2.8 timeout 2h }"]);
    let before = site.list();
    assert!(before.contains(&"banned 192.0.2.8".to_owned()), "{before:?}");

    // The whole table can be saved and loaded again.
    let saved = site.topology.host.run(&["nft", "list", "table", "inet", "dwnl"]);
    site.nft(&format!("delete table inet dwnl\n{saved}"));
    assert_eq!(site.list(), before);
    site.apply(super::PUBLISHED);
    assert_eq!(site.list(), before);
}

#[test]
fn a_stream_of_bans_may_repeat_and_revoke_what_is_not_there() {
    let mut site = Site::new();
    let bans: Vec<_> = (0..3000_u32)
        .map(|number| {
            let source = std::net::Ipv4Addr::from(0x0a00_0000 + number % 2000).to_string();
            grant(Deny, &source, None, Some(3600))
        })
        .collect();
    site.table.add(&bans).expect("success");
    site.table.add(&bans[..100]).expect("success");
    assert_eq!(site.list().len(), 2000);
    let ended = site.table.revoke(
        &bans[..5]
            .iter()
            .chain([&grant(Deny, "192.0.2.77", None, None)])
            .map(|ban| (ban.source, None))
            .collect::<Vec<_>>(),
        None,
    );
    assert_eq!(ended.expect("success").len(), 5);
    assert_eq!(site.list().len(), 1995);
    let ended = site.table.revoke(&[("10.0.0.0/8".parse().expect("a network"), None)], Some(Deny));
    assert_eq!(ended.expect("success").len(), 1995);
}
