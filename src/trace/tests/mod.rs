mod handed_up;

use std::time::{Duration, Instant, UNIX_EPOCH};

use super::chains::{FIRST, table_name};
use super::*;
use crate::model::{
    Hook, Name, PacketHeader, TraceCause, TraceMessage, TraceVerdict, TracedChain, TracedState,
    Transport,
};

const ID: u32 = 7;

/// An assembler, the time, and the packets that are finished.
struct Script {
    assembler: PacketAssembler,
    now: Instant,
    finished: Vec<TracedPacket>,
}

impl Script {
    fn new() -> Script {
        let assembler = PacketAssembler::new(table_name(1).into());
        Script { assembler, now: Instant::now(), finished: Vec::new() }
    }

    fn add(&mut self, id: u32, chain: &str, cause: TraceCause, verdict: TraceVerdict) -> &mut Self {
        self.message(id, chain, cause, verdict, None)
    }

    /// A packet in this state meets a rule of a base chain.
    fn meet(
        &mut self,
        id: u32,
        chain: &str,
        verdict: TraceVerdict,
        state: TracedState,
    ) -> &mut Self {
        self.message(id, chain, TraceCause::Rule(3), verdict, Some(state))
    }

    fn message(
        &mut self,
        id: u32,
        chain: &str,
        cause: TraceCause,
        verdict: TraceVerdict,
        packet: Option<TracedState>,
    ) -> &mut Self {
        let mut names = chain.split(' ').map(Name::from);
        let [family, table, chain] = std::array::from_fn(|_| names.next().expect("three names"));
        let chain = TracedChain { family, table, chain };
        let at = ReadAt { instant: self.now, time: UNIX_EPOCH };
        let names = |index: u32| Name::from(format!("eth{index}"));
        let message = TraceMessage { id, chain, cause, verdict, packet };
        self.assembler.add(message, at, &names, &mut self.finished);
        self
    }

    /// A packet comes in.
    fn begin(&mut self, id: u32) -> &mut Self {
        self.own(id, FIRST, TraceCause::Rule(2), TraceVerdict::Continue);
        self.own(id, FIRST, TraceCause::Policy, TraceVerdict::Accept)
    }

    fn own(&mut self, id: u32, chain: &str, cause: TraceCause, verdict: TraceVerdict) -> &mut Self {
        self.add(id, &format!("inet {} {chain}", table_name(1)), cause, verdict)
    }

    /// A packet is at the end of a hook.
    fn pass(&mut self, id: u32, chain: &str) -> &mut Self {
        self.own(id, chain, TraceCause::Rule(3), TraceVerdict::Accept)
    }

    fn wait(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self.assembler.expire(self.now, &mut self.finished);
        self
    }

    fn only(&self) -> &TracedPacket {
        assert_eq!(self.finished.len(), 1, "{:?}", self.finished);
        &self.finished[0]
    }
}

/// The headers of a packet to this port.
fn header(port: u16) -> PacketHeader {
    PacketHeader {
        source: [192, 0, 2, 2].into(),
        destination: [172, 17, 0, 2].into(),
        protocol: 17,
        length: 40,
        transport: Transport::Ports { source_port: 1000, port },
    }
}

#[test]
fn a_packet_is_followed_through_its_chains() {
    let mut script = Script::new();
    script.begin(ID);
    script.add(ID, "ip nat PREROUTING", TraceCause::Rule(4), TraceVerdict::Jump("A".into()));
    script.add(ID, "ip nat A", TraceCause::Rule(5), TraceVerdict::Continue);
    script.add(ID, "ip nat A", TraceCause::Rule(6), TraceVerdict::Goto("B".into()));
    script.add(ID, "ip nat B", TraceCause::End, TraceVerdict::Continue);
    script.add(ID, "ip nat PREROUTING", TraceCause::Policy, TraceVerdict::Accept);
    script.pass(ID, "prerouting");
    assert_eq!(script.finished, []);
    // No rule in between: the chain is another one because the last one has decided.
    script.add(ID, "ip filter INPUT", TraceCause::Policy, TraceVerdict::Accept);
    script.add(ID, "ip filter INPUT", TraceCause::Rule(8), TraceVerdict::Accept);
    script.pass(ID, "input");
    let packet = script.only();
    assert_eq!(packet.fate, Fate::Delivered);
    let chains: Vec<&str> = packet.visits.iter().map(|visit| &*visit.chain.chain).collect();
    assert_eq!(chains, ["PREROUTING", "INPUT", "INPUT"]);
    let path: Vec<&str> = packet.visits[0].path().into_iter().map(|name| &**name).collect();
    assert_eq!(path, ["PREROUTING"], "it has returned from the others");
    let (visit, step) = packet.decision().expect("a rule that accepted");
    assert_eq!((&*visit.chain.table, step.cause), ("filter", TraceCause::Rule(8)));
}

#[test]
fn the_path_leads_to_the_decision() {
    let path = |steps: &[(&str, TraceVerdict)]| {
        let mut script = Script::new();
        script.begin(ID);
        for (chain, verdict) in steps {
            script.add(ID, &format!("ip t {chain}"), TraceCause::Rule(1), verdict.clone());
        }
        let path = script.only().visits[0].path();
        path.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(" ")
    };
    let jump = |chain: &str| TraceVerdict::Jump(chain.into());
    let goto = |chain: &str| TraceVerdict::Goto(chain.into());
    let drop = || TraceVerdict::Drop;
    assert_eq!(path(&[("base", drop())]), "base");
    assert_eq!(path(&[("base", jump("a")), ("a", goto("b")), ("b", drop())]), "base a b");
    assert_eq!(path(&[("base", jump("a")), ("a", jump("b")), ("a", drop())]), "base a");
    assert_eq!(path(&[("base", jump("a")), ("a", goto("b")), ("base", drop())]), "base");
}

#[test]
fn a_drop_ends_a_packet() {
    let mut script = Script::new();
    script.begin(ID).add(ID, "inet dwnl forward", TraceCause::Rule(9), TraceVerdict::Drop);
    assert_eq!(script.only().fate, Fate::Dropped);
    let decision = script.only().decision().map(|(_, step)| step.cause);
    assert_eq!(decision, Some(TraceCause::Rule(9)));
    script.add(ID, "inet dwnl input", TraceCause::Policy, TraceVerdict::Drop);
    assert_eq!(script.finished.len(), 1, "what follows is not about it");
}

#[test]
fn the_last_chain_of_a_hook_shows_the_headers() {
    let state =
        TracedState { header: Some(header(53)), in_interface: Some(0), out_interface: Some(1) };
    let mut script = Script::new();
    script.begin(ID);
    script.meet(ID, &format!("inet {} postrouting", table_name(1)), TraceVerdict::Accept, state);
    assert_eq!(script.only().fate, Fate::Sent { out_interface: Some("eth1".into()) });
    assert_eq!(script.only().last_header, Some(header(53)));
}

#[test]
fn a_packet_that_disappears_is_given_up() {
    let lost = |chains: &[&str]| {
        let mut script = Script::new();
        script.begin(ID);
        for chain in chains {
            script.pass(ID, chain);
        }
        let deadline = script.assembler.deadline().expect("a deadline");
        script.wait(deadline - script.now - Duration::from_millis(1));
        assert_eq!(script.finished, []);
        script.wait(Duration::from_millis(1));
        assert_eq!(script.assembler.deadline(), None);
        script.only().fate.clone()
    };
    assert_eq!(lost(&[]), Fate::Lost { passed: None });
    assert_eq!(lost(&["prerouting"]), Fate::Lost { passed: Some(Hook::Prerouting) });
    assert_eq!(lost(&["prerouting", "forward"]), Fate::Lost { passed: Some(Hook::Forward) });
}

#[test]
fn a_packet_may_wait_for_a_program() {
    let mut script = Script::new();
    script.begin(ID).add(ID, "ip filter INPUT", TraceCause::Rule(1), TraceVerdict::Queue);
    script.wait(Duration::from_secs(1));
    assert_eq!(script.finished, []);
    script.wait(Duration::from_secs(10));
    assert_eq!(script.only().fate, Fate::Queued);
}

#[test]
fn packets_are_told_apart() {
    let mut script = Script::new();
    let other = ID + 1;
    script.begin(ID).begin(other);
    script.add(ID, "ip filter INPUT", TraceCause::Rule(1), TraceVerdict::Drop);
    script.pass(other, "input");
    let fates: Vec<&Fate> = script.finished.iter().map(|packet| &packet.fate).collect();
    assert_eq!(fates, [&Fate::Dropped, &Fate::Delivered]);

    // The kernel uses a number again.
    script.begin(ID).begin(ID);
    assert_eq!(script.finished[2].fate, Fate::Lost { passed: None });
    script.pass(ID, "input");
    assert_eq!(script.finished[3].fate, Fate::Delivered);
}

#[test]
fn packets_of_other_traces_are_ignored() {
    let mut script = Script::new();
    let other = format!("inet {} {FIRST}", table_name(2));
    script.add(ID, &other, TraceCause::Rule(2), TraceVerdict::Continue);
    script.add(ID, &other, TraceCause::Policy, TraceVerdict::Accept);
    script.own(ID, FIRST, TraceCause::Policy, TraceVerdict::Accept);
    script.add(ID, "ip filter INPUT", TraceCause::Rule(1), TraceVerdict::Drop);
    assert_eq!(script.finished, []);
    assert_eq!(script.assembler.deadline(), None);

    // A packet of both: the chains of the other trace are not shown.
    script.begin(ID).add(ID, &other, TraceCause::Rule(2), TraceVerdict::Continue);
    script.pass(ID, "input");
    assert_eq!(script.only().visits, []);
}

#[test]
fn after_a_stop_only_packets_on_their_way_are_followed() {
    let mut script = Script::new();
    script.begin(ID);
    script.assembler.stop();
    script.begin(ID + 1);
    script.pass(ID + 1, "input").pass(ID, "input");
    assert_eq!(script.finished.len(), 1);
    assert_eq!(script.assembler.deadline(), None);
}
