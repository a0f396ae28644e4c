//! `connections`: how many flows a source may have open.

use super::super::support::{Answer, Connection, Topology, wait_for};
use super::site::Site;
use super::{BOTH, entry};

fn open(site: &Site, source: &str, target: &str) -> Result<Connection, Answer> {
    let mut connection = Connection::open(&site.topology.client, source, target, 8080)?;
    assert_eq!(connection.echo(), Answer::Answered);
    Ok(connection)
}

#[test]
fn a_source_may_have_so_many_open_and_more_after_it_has_closed_some() {
    let mut site = Site::new();
    site.apply(&entry("connections = 3"));
    for (source, target) in BOTH {
        let mut held: Vec<Connection> =
            (0..3).map(|_| open(&site, source, target).expect("a connection")).collect();
        assert_eq!(open(&site, source, target).err(), Some(Answer::TimedOut), "{source}");
        for connection in &mut held {
            assert_eq!(connection.echo(), Answer::Answered, "an open connection is not touched");
        }
        held.pop();
        held.push(wait_for("room for one more", || open(&site, source, target).ok()));
        assert_eq!(open(&site, source, target).err(), Some(Answer::TimedOut), "{source}");
        // Another source is not concerned; another host of the same network of 64 bits is.
        let other = if source.contains(':') { Topology::REFUSED6 } else { Topology::REFUSED };
        assert_eq!(open(&site, other, target).is_ok(), !source.contains(':'), "{other}");
    }
}

#[test]
fn both_limits_hold() {
    let mut site = Site::new();
    site.apply(&entry("limit = '4/day per source'\nconnections = 2"));
    for (source, target) in BOTH {
        let held = [open(&site, source, target), open(&site, source, target)].map(Result::unwrap);
        // Above the number of connections, nothing of the rate is used up.
        site.expect_datagrams_refused(source, target, 5);
        drop(held);
        let first = wait_for("room for one", || open(&site, source, target).ok());
        drop(first);
        wait_for("room for the last one", || open(&site, source, target).ok());
        site.expect_datagrams_refused(source, target, 2);
    }
}

#[test]
fn datagrams_count_as_long_as_conntrack_knows_the_flow() {
    let mut site = Site::new();
    site.apply(&entry("connections = 3"));
    site.expect(Topology::ALLOWED, Topology::HOST, 5, 3);
}
