//! Reading the host's interfaces and listening sockets.

use super::*;
use crate::model::{
    ChainPath, Docker, Family, GuardScope, HostState, InstalledChain, InstalledRule, NftMatch,
    NftRule, NftStatement, PublishedPort, RuleContent, TablePath,
};

/// An engine with a scripted sock_diag socket, and the requests to it.
fn engine_with_sockets(noise: Noise) -> (Engine, Requests) {
    let sockets = Kernel { noise, ..Kernel::new(7) };
    let requests = Arc::clone(&sockets.requests);
    let mute = || Box::new(Kernel { noise: Noise::Mute, ..Kernel::new(7) });
    let routes = Kernel::new(7);
    (Engine::over([mute(), mute()], Box::new(routes), Box::new(sockets)), requests)
}

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: i32 = 20;

#[test]
fn each_protocol_is_read_in_each_family() {
    let (mut engine, requests) = engine_with_sockets(Noise::None);
    let empty = HostState { listeners: Some(Vec::new()), ..HostState::default() };
    assert_eq!(engine.host_state().expect("the state"), empty);
    assert_eq!(count(&requests, BY_FAMILY), 6);
}

#[test]
fn an_interrupted_dump_is_repeated() {
    let (mut engine, requests) = engine_with_sockets(Noise::Interrupted);
    assert!(engine.host_state().expect("the state").listeners.is_some());
    assert_eq!(count(&requests, BY_FAMILY), 7);
}

#[test]
fn a_kernel_that_cannot_list_sockets_is_no_error() {
    let (mut engine, _) = engine_with_sockets(Noise::Errno(libc::ENOENT));
    assert_eq!(engine.host_state().expect("the state").listeners, None);
}

#[test]
fn any_other_failure_is_an_error() {
    let (mut engine, _) = engine_with_sockets(Noise::Errno(libc::ENOMEM));
    let error = engine.host_state().expect_err("an error").to_string();
    assert!(error.starts_with("netlink error while reading listening sockets: "), "{error}");
}

/// A kernel with listening TCP sockets over IPv6, which differ from one reading of all protocols to the
/// next.
struct Sockets {
    /// The ports of each reading.
    readings: Vec<&'static [u16]>,
    questions: Arc<Mutex<usize>>,
    answer: Option<Vec<u8>>,
}

impl Transport for Sockets {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let request = Messages::new(datagram).next().expect("a message");
        let mut questions = self.questions.lock().expect("the number");
        let ports = self.readings[*questions / 6];
        *questions += 1;
        let is_asked_for = request.payload[..2] == [libc::AF_INET6 as u8, libc::IPPROTO_TCP as u8];
        let listeners = ports.iter().filter(|_| is_asked_for).map(|port| {
            // struct inet_diag_msg: family, TCP_LISTEN, and from the fourth byte on the port.
            let mut payload = [0; 72];
            payload[..2].copy_from_slice(&[libc::AF_INET6 as u8, 10]);
            payload[4..6].copy_from_slice(&port.to_be_bytes());
            message(BY_FAMILY, libc::NLM_F_MULTI, request.sequence, &payload)
        });
        let done = message(libc::NLMSG_DONE, libc::NLM_F_MULTI, request.sequence, &[0; 4]);
        self.answer = Some(listeners.chain([done]).flatten().collect());
        Ok(())
    }

    fn receive(&mut self, _timeout: PollTimeout) -> io::Result<Option<&[u8]>> {
        Ok(self.answer.as_deref())
    }
}

/// The chain `input` with the rules for these ports.
fn guarding(ports: &[u16]) -> Snapshot {
    let table = TablePath { family: Family::Inet, table: "dwnl".into() };
    let path = ChainPath { table, chain: "input".into() };
    let rules = ports.iter().map(|port| {
        let ports = Ports::new(Protocol::Tcp, *port, *port).expect("a port");
        let statement = NftStatement::Goto("proxied".into());
        let rule = NftRule::new([NftMatch::Ports(ports)], statement);
        let content = RuleContent::Known(rule.into());
        InstalledRule { handle: 1, content, packets: 0, bytes: 0 }
    });
    let rules = rules.collect();
    let mut snapshot = Snapshot::default();
    let table = snapshot.tables.entry(path.table).or_default();
    table.chains.insert(path.chain, InstalledChain { rules, ..InstalledChain::default() });
    snapshot
}

/// The ports with a listening socket, and the number of times that all sockets were read.
fn read_ports(readings: &[&'static [u16]], snapshot: &mut Snapshot) -> (Vec<u16>, usize) {
    let questions = Arc::default();
    let sockets =
        Sockets { readings: readings.to_vec(), questions: Arc::clone(&questions), answer: None };
    let mute = || Box::new(Kernel { noise: Noise::Mute, ..Kernel::new(7) });
    let routes = Kernel::new(7);
    let mut engine = Engine::over([mute(), mute()], Box::new(routes), Box::new(sockets));
    engine.read_host(&GuardScope::default(), snapshot).expect("the state");
    let listeners = snapshot.host.listeners.iter().flatten();
    let ports = listeners.map(|listener| listener.port).collect();
    let questions = *questions.lock().expect("the number");
    (ports, questions / 6)
}

#[test]
fn sockets_are_read_twice_if_a_known_port_has_no_listener() {
    for (known, readings, expected) in [
        (&[][..], &[&[][..]][..], (vec![], 1)),
        (&[], &[&[22][..]], (vec![22], 1)),
        (&[8080], &[&[22, 8080]], (vec![22, 8080], 1)),
        // The first reading lacks it, the second another.
        (&[8080], &[&[22], &[8080]], (vec![22, 8080], 2)),
        (&[8080, 8081], &[&[8080], &[8080, 8081]], (vec![8080, 8081], 2)),
        (&[8080], &[&[22], &[22]], (vec![22], 2)),
    ] {
        let found = read_ports(readings, &mut guarding(known));
        assert_eq!(found, expected, "{known:?}, {readings:?}");
    }
}

#[test]
fn sockets_are_read_once_if_dockers_rules_name_the_port() {
    let ports = Ports::new(Protocol::Tcp, 8080, 8080).expect("a port");
    let published = PublishedPort { address: None, family: Family::Inet, ports };
    let docker = Docker { published: [published].into(), ..Docker::default() };
    let mut snapshot = Snapshot { docker, ..guarding(&[8080]) };
    assert_eq!(read_ports(&[&[22]], &mut snapshot), (vec![22], 1));
}
