//! `[log] refused`: what is logged of refused packets.

use std::io::ErrorKind;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::super::support::Topology;
use super::{PUBLISHED, Site, sources};

const GROUP: u16 = 5;

/// A reader of group [`GROUP`] of NFLOG (`linux/netfilter/nfnetlink_log.h`).
struct Reader(Socket);

impl Reader {
    /// Binds the group in the namespace of the calling thread.
    fn open() -> Reader {
        let open = Socket::new(
            Domain::from(libc::AF_NETLINK),
            Type::from(libc::SOCK_RAW),
            Some(Protocol::from(libc::NETLINK_NETFILTER)),
        );
        let socket = open.expect("a socket");
        // `NFULA_CFG_CMD`: `NFULNL_CFG_CMD_BIND`; `NFULA_CFG_MODE`: copy 128 bytes of each packet.
        let bind = [&5u16.to_ne_bytes()[..], &1u16.to_ne_bytes(), &[1, 0, 0, 0]].concat();
        let mode =
            [&10u16.to_ne_bytes()[..], &2u16.to_ne_bytes(), &128u32.to_be_bytes(), &[2, 0, 0, 0]];
        for attribute in [bind, mode.concat()] {
            socket.send(&config(&attribute)).expect("to configure the group");
        }
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
        Reader(socket)
    }

    /// The texts in the next datagrams, until one has the text or nothing comes for a while.
    fn read_until(&mut self, text: &str) -> String {
        let mut all = String::new();
        let mut buffer = vec![0; 1 << 16];
        while !all.contains(text) {
            match nix::unistd::read(&self.0, &mut buffer) {
                Ok(length) => all += &String::from_utf8_lossy(&buffer[..length]),
                Err(error) if std::io::Error::from(error).kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("NFLOG: {error}"),
            }
        }
        all
    }
}

/// `NFULNL_MSG_CONFIG` of the subsystem `NFNL_SUBSYS_ULOG`.
fn config(attribute: &[u8]) -> Vec<u8> {
    let length = (16 + 4 + attribute.len()) as u32;
    let header = [
        &length.to_ne_bytes()[..],
        &(4u16 << 8 | 1).to_ne_bytes(),
        &(libc::NLM_F_REQUEST as u16).to_ne_bytes(),
        &[0; 8],
        &[0, 0],
        &GROUP.to_be_bytes(),
    ];
    [&header.concat(), attribute].concat()
}

fn with_log(target: &str) -> String {
    format!("{}[log]\nrefused = '{target}'\n", super::POLICY)
}

#[test]
fn refused_packets_reach_a_reader_of_nflog_with_the_path() {
    let mut site = Site::new();
    site.apply(&with_log("nflog:5"));
    let mut reader = site.topology.host.inside(Reader::open);
    site.send(Topology::REFUSED, Topology::HOST, 1);
    let read = reader.read_until("ping");
    assert!(read.contains("dwnl refused: published port: \0"), "{read}");
    // The datagram itself.
    assert!(read.contains("ping"), "{read}");
    assert_eq!(sources(&site.refused()), [(PUBLISHED, "192.0.2.66 8080/udp".into(), 1)]);
}

#[test]
fn lines_for_the_kernels_log_are_limited_and_nft_lists_the_rule() {
    let mut site = Site::new();
    site.apply(&with_log("kernel"));
    let host = &site.topology.host;
    let rule = "limit rate 10/second burst 20 packets log prefix \
                \"dwnl refused: published port: \" level info";
    let listed = host.run(&["nft", "list", "chain", "inet", "dwnl", "refused-published"]);
    assert!(listed.contains(&format!("counter packets 0 bytes 0 {rule}")), "{listed}");
    assert!(
        site.engine
            .plan(&dwnl::compile(&super::policy(&with_log("kernel"))))
            .expect("a plan")
            .is_empty()
    );
    site.send(Topology::REFUSED, Topology::HOST, 1);
    assert_eq!(site.refused().sources.len(), 1);
    site.apply(super::POLICY);
    let host = &site.topology.host;
    let listed = host.run(&["nft", "list", "chain", "inet", "dwnl", "refused-published"]);
    assert!(!listed.contains("log prefix"), "{listed}");
}
