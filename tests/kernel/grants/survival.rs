//! What grants and bans survive, and that they concern no plan.

use dwnl::engine::Monitor;
use dwnl::{Engine, compile};

use super::{Allow, Deny, PUBLISHED, Site, UNGUARDED, grant, policy};

/// A policy with other sets than [`PUBLISHED`].
fn other() -> String {
    let many: Vec<String> = (0..100).map(|n| format!("10.9.8.{n}")).collect();
    format!("[[allow]]\nports = [\"80\"]\nfrom = {many:?}\n")
}

fn ban_and_grant(site: &mut Site) -> Vec<String> {
    let grants = [
        grant(Deny, "192.0.2.2", None, Some(3600)),
        grant(Deny, "2001:db8::/64", None, None),
        grant(Allow, "192.0.2.66", Some("8080/udp"), Some(3600)),
    ];
    site.table.add(&grants).expect("success");
    site.list()
}

#[test]
fn reloads_keep_them_and_no_plan_names_them() {
    let mut site = Site::new();
    site.apply(PUBLISHED);
    let mut monitor = site.topology.host.inside(Monitor::open).expect("a monitor");
    let before = ban_and_grant(&mut site);
    assert_eq!(before.len(), 3);
    let relevant: Vec<_> = monitor.read().expect("events").into_iter().collect();
    let is_relevant = |event: &dwnl::engine::MonitorEvent| match event {
        dwnl::engine::MonitorEvent::Commit(commit) => commit.is_relevant(),
        _ => true,
    };
    assert!(!relevant.iter().any(is_relevant), "{relevant:?}");
    let desired = compile(&policy(PUBLISHED));
    for engine in [&mut site.engine, &mut site.topology.host.inside(Engine::open).expect("one")] {
        assert!(engine.plan(&desired).expect("a plan").is_empty());
    }
    for text in [&other(), PUBLISHED] {
        site.apply(text);
        assert_eq!(site.list(), before);
    }
}

#[test]
fn a_table_that_has_to_be_made_again_keeps_them() {
    let mut site = Site::new();
    let before = ban_and_grant(&mut site);
    // dwnl never creates such an object, so it deletes the table.
    site.nft("add counter inet dwnl foreign");
    site.apply(PUBLISHED);
    assert!(!site.topology.host.run(&["nft", "list", "ruleset"]).contains("foreign"));
    assert_eq!(site.list(), before);
}

#[test]
fn what_is_kept_returns_with_the_sets_in_one_transaction() {
    let mut site = Site::new();
    let kept = grant(Deny, "192.0.2.2", None, Some(3600));
    site.engine.restore_grants(vec![kept.clone(), grant(Allow, "10.0.0.0/8", Some("1"), None)]);
    site.apply(&other());
    assert_eq!(site.list(), [""; 0], "the sets exist already");
    site.nft("delete table inet dwnl");
    let mut monitor = site.topology.host.inside(Monitor::open).expect("a monitor");
    site.apply(PUBLISHED);
    assert_eq!(site.list(), ["banned 192.0.2.2", "granted 10.0.0.0/8 1/tcp"]);
    assert_eq!(monitor.read().expect("events").len(), 1, "one commit");
}

#[test]
fn a_rollback_restores_them_if_the_guard_was_off_meanwhile() {
    let mut site = Site::new();
    site.apply(PUBLISHED);
    let before = ban_and_grant(&mut site);
    let point = site.engine.restore_point().expect("a restore point");
    assert_eq!(point.unrestorable(), [""; 0]);
    // What is banned meanwhile remains, if the sets do.
    site.apply(&other());
    site.table.add(&[grant(Deny, "192.0.2.3", None, None)]).expect("success");
    site.engine.restore(&point).expect("success");
    assert_eq!(site.list().len(), before.len() + 1);
    site.apply(UNGUARDED);
    assert_eq!(site.list(), [""; 0]);
    site.engine.restore(&point).expect("success");
    assert_eq!(site.list(), before);
    site.engine.remove().expect("success");
    assert!(!site.topology.host.run(&["nft", "list", "ruleset"]).contains("banned"));
}
