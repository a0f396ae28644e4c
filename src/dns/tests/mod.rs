//! A small server that lies, and what becomes of its answers.

mod known;
mod server;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::*;
use crate::policy::DnsName;
use server::{Record, Server, answer, renamed, with_code};

fn name(text: &str) -> DnsName {
    DnsName::new(text.parse().expect("a name"))
}

fn look_up(servers: &[SocketAddr]) -> Answer {
    let resolver = Resolver::new(servers.to_vec());
    resolver.look_up(&name("home.example.net"), Instant::now() + Duration::from_secs(20))
}

/// What a server finds that sends these records for questions about IPv4 and IPv6 addresses.
fn of(v4: &[Record], v6: &[Record]) -> Answer {
    let (v4, v6) = (v4.to_vec(), v6.to_vec());
    let server = Server::start(move |query| {
        vec![answer(query, if server::is_v6(query) { &v6 } else { &v4 })]
    });
    look_up(&[server.address()])
}

fn addresses(found: &Result<Found, LookupError>) -> Vec<String> {
    found.as_ref().expect("addresses").addresses.iter().map(IpAddr::to_string).collect()
}

#[test]
fn addresses_of_both_ip_versions_are_found() {
    let found = of(
        &[Record::a("192.0.2.7", 300), Record::a("192.0.2.3", 60), Record::a("192.0.2.7", 600)],
        &[Record::aaaa("2001:db8::7", 120)],
    );
    assert_eq!(addresses(&found.v4), ["192.0.2.3", "192.0.2.7"]);
    assert_eq!(addresses(&found.v6), ["2001:db8::7"]);
    assert_eq!((found.ttl(), found.error()), (Some(Duration::from_secs(60)), None));
}

#[test]
fn aliases_are_followed_within_the_answer() {
    let chain = [
        Record::cname("b.example", 600),
        Record::a("192.0.2.9", 90).of("c.example"),
        Record::cname("c.example", 50).of("b.example"),
        Record::a("192.0.2.66", 5).of("d.example"),
    ];
    let found = of(&chain, &[]);
    assert_eq!(addresses(&found.v4), ["192.0.2.9"]);
    assert_eq!(found.ttl(), Some(Duration::from_secs(50)));
    assert_eq!(found.v6, Err(LookupError::NoAddress));
    let circle =
        [Record::cname("b.example", 9), Record::cname("home.example.net", 9).of("b.example")];
    assert_eq!(of(&circle, &[]).v4, Err(LookupError::AliasLoop));
}

#[test]
fn addresses_that_no_client_has_are_dropped() {
    let all = ["0.0.0.0", "127.0.0.1", "169.254.0.1", "224.0.0.1", "255.255.255.255"];
    let mut records: Vec<Record> = all.iter().map(|text| Record::a(text, 60)).collect();
    let only = of(&records, &[Record::aaaa("::", 60), Record::aaaa("::ffff:192.0.2.1", 60)]);
    assert!(matches!(only.v4, Err(LookupError::Unusable(_))), "{only:?}");
    assert!(matches!(only.v6, Err(LookupError::Unusable(_))), "{only:?}");
    assert_eq!((only.is_found(), only.dropped.len()), (false, 7));
    records.push(Record::a("192.0.2.7", 60));
    let some = of(&records, &[]);
    assert_eq!((addresses(&some.v4), some.dropped.len()), (vec!["192.0.2.7".to_owned()], 5));
}

#[test]
fn a_huge_answer_is_fetched_over_tcp_and_counts_as_none() {
    let records = |number: u16| -> Vec<Record> {
        (0..number).map(|it| Record::a(&format!("198.18.{}.{}", it >> 8, it & 255), 60)).collect()
    };
    let permitted = of(&records(32), &[]);
    assert_eq!(addresses(&permitted.v4).len(), 32);
    let error = Err(LookupError::TooMany { found: 4_000, permitted: 32 });
    assert_eq!(of(&records(4_000), &[]).v4, error);
}

#[test]
fn replies_to_other_questions_are_ignored() {
    let forged = |change: fn(&mut Vec<u8>)| {
        let server = Server::start(move |query| {
            let mut forged = answer(query, &[Record::a("203.0.113.66", 60)]);
            change(&mut forged);
            vec![forged, answer(query, &[Record::a("192.0.2.7", 60)])]
        });
        addresses(&look_up(&[server.address()]).v4)
    };
    let other_id: fn(&mut Vec<u8>) = |reply| reply[0] ^= 1;
    let other_name: fn(&mut Vec<u8>) = |reply| reply[13] ^= 1;
    let other_type: fn(&mut Vec<u8>) = |reply| reply[31] ^= 2;
    let no_reply: fn(&mut Vec<u8>) = |reply| reply[2] &= 0x7f;
    let no_question: fn(&mut Vec<u8>) = |reply| reply[5] = 0;
    let short: fn(&mut Vec<u8>) = |reply| reply.truncate(11);
    for change in [other_id, other_name, other_type, no_reply, no_question, short] {
        assert_eq!(forged(change), ["192.0.2.7"]);
    }
}

#[test]
fn records_of_other_names_are_ignored() {
    let found = of(&[Record::a("192.0.2.66", 60).of("other.example")], &[]);
    assert_eq!(found.v4, Err(LookupError::NoAddress));
    let server = Server::start(|query| vec![renamed(query, "other.example")]);
    let resolver = Resolver::new(vec![server.address()]);
    let deadline = Instant::now() + Duration::from_millis(300);
    let found = resolver.look_up(&name("home.example.net"), deadline);
    assert_eq!(found.v4, Err(LookupError::Timeout(server.address())));
}

#[test]
fn another_server_is_asked_if_one_fails() {
    let refusing = Server::start(|query| vec![with_code(query, 2)]);
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let closed = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let nobody = closed.local_addr().expect("an address");
    drop(closed);
    let good = Server::start(|query| vec![answer(query, &[Record::a("192.0.2.7", 60)])]);
    let silent = silent.local_addr().expect("an address");
    let found = look_up(&[refusing.address(), nobody, silent, good.address()]);
    assert_eq!(addresses(&found.v4), ["192.0.2.7"]);
}

#[test]
fn errors_say_what_happened() {
    let code = |code: u8| {
        let server = Server::start(move |query| vec![with_code(query, code)]);
        let found = look_up(&[server.address()]);
        let text = found.error().expect("an error").to_string();
        text.replace(&server.address().to_string(), "SERVER")
    };
    assert_eq!(code(2), "SERVER answers SERVFAIL");
    assert_eq!(code(5), "SERVER answers REFUSED");
    assert_eq!(code(3), "the name does not exist");
    assert_eq!(of(&[], &[]).error(), Some(&LookupError::NoAddress));
    let no_server = look_up(&[]);
    assert_eq!(no_server.error(), Some(&LookupError::NoTime));
}

#[test]
fn names_are_looked_up_at_once_and_by_the_deadline() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let resolver = Resolver::new(vec![silent.local_addr().expect("an address")]);
    let names: Vec<DnsName> = (0..40).map(|it| name(&format!("n{it}.example"))).collect();
    let deadline = Instant::now() + Duration::from_millis(400);
    let answers = resolver.look_up_all(&names, deadline);
    assert!(Instant::now() >= deadline && answers.len() == 40);
    assert!(answers.iter().all(|answer| !answer.is_found()));
    let good = Server::start(|query| vec![answer(query, &[Record::a("192.0.2.7", 60)])]);
    let resolver = Resolver::new(vec![good.address()]);
    let answers = resolver.look_up_all(&names, Instant::now() + Duration::from_secs(20));
    assert!(answers.iter().all(|answer| addresses(&answer.v4) == ["192.0.2.7"]));
}

#[test]
fn no_bytes_make_it_panic() {
    use proptest::prelude::*;
    let query = message::Query::new(
        &"home.example.net".parse().expect("a name"),
        crate::model::IpVersion::V4,
        7,
    );
    let query = query.expect("a query");
    let records = [Record::cname("b.example", 600), Record::a("192.0.2.9", 90).of("b.example")];
    let valid = answer(query.bytes(), &records);
    proptest!(|(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
                cut in any::<prop::sample::Index>())| {
        let mut bytes = valid.clone();
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        bytes.truncate(cut.index(valid.len() + 1));
        if let message::Reply::Answer(message) = query.reply(&bytes) {
            let _ = query.addresses(&message);
        }
    });
}
