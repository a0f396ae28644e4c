//! Packets whose number changes because a bridge hands them up.

use super::*;

/// The number after the change.
const LATER: u32 = ID + 1;

/// A packet to this port, received by `eth1`.
fn state(port: u16) -> TracedState {
    TracedState { header: Some(header(port)), in_interface: Some(1), out_interface: None }
}

fn own(chain: &str) -> String {
    format!("inet {} {chain}", table_name(1))
}

impl Script {
    /// A packet to the port 53 comes in and passes prerouting, where its port is translated.
    fn translate(&mut self, id: u32, port: u16) -> &mut Self {
        self.meet(id, &own(FIRST), TraceVerdict::Continue, state(53));
        self.own(id, FIRST, TraceCause::Policy, TraceVerdict::Accept);
        self.meet(id, &own("prerouting"), TraceVerdict::Accept, state(port))
    }
}

#[test]
fn a_packet_is_followed_under_its_later_number() {
    let mut script = Script::new();
    script.translate(ID, 5353);
    script.add(ID, "bridge b input", TraceCause::Policy, TraceVerdict::Accept);
    script.meet(LATER, "ip filter INPUT", TraceVerdict::Accept, state(5353));
    script.meet(LATER, &own("input"), TraceVerdict::Accept, state(5353));
    assert_eq!(script.only().fate, Fate::Delivered);
    let chains: Vec<&str> = script.only().visits.iter().map(|it| &*it.chain.chain).collect();
    assert_eq!(chains, ["input", "INPUT"]);
    assert_eq!(script.assembler.deadline(), None);
}

#[test]
fn a_policy_shows_no_headers() {
    let mut script = Script::new();
    script.translate(ID, 5353);
    // A chain of IPv6 does not see it.
    script.add(LATER, "ip6 filter INPUT", TraceCause::Policy, TraceVerdict::Drop);
    assert_eq!(script.finished, []);
    script.add(LATER, "ip mangle INPUT", TraceCause::Policy, TraceVerdict::Accept);
    script.add(LATER, "ip filter INPUT", TraceCause::Policy, TraceVerdict::Drop);
    assert_eq!((&script.only().fate, script.only().visits.len()), (&Fate::Dropped, 2));
}

#[test]
fn the_last_of_several_alike_is_followed() {
    let mut script = Script::new();
    script.translate(ID, 5353);
    script.wait(Duration::from_millis(100));
    script.translate(LATER, 5353);
    script.add(9, "ip filter INPUT", TraceCause::Policy, TraceVerdict::Drop);
    assert_eq!(script.only().fate, Fate::Dropped);
    script.wait(Duration::from_millis(400));
    assert_eq!(script.finished[1].fate, Fate::Lost { passed: Some(Hook::Prerouting) });
}

#[test]
fn packets_of_others_are_told_apart() {
    let other_interface = TracedState { in_interface: Some(2), ..state(5353) };
    for (chain, state) in [
        ("ip raw PREROUTING".to_owned(), state(53)),
        ("ip raw PREROUTING".to_owned(), other_interface),
        (format!("inet {} {FIRST}", table_name(2)), state(5353)),
        (own("prerouting"), state(5353)),
    ] {
        let mut script = Script::new();
        script.translate(ID, 5353);
        script.meet(LATER, &chain, TraceVerdict::Continue, state);
        script.add(LATER, "ip filter INPUT", TraceCause::Policy, TraceVerdict::Drop);
        assert_eq!(script.finished, [], "{chain}");
        script.wait(Duration::from_secs(1));
        assert_eq!(script.only().fate, Fate::Lost { passed: Some(Hook::Prerouting) });
    }
}

#[test]
fn a_packet_keeps_its_number_once_a_chain_has_seen_it() {
    for (before, chain) in [(true, "ip nat PREROUTING"), (false, "ip filter INPUT")] {
        let mut script = Script::new();
        match before {
            true => script.begin(ID),
            false => script.translate(ID, 5353),
        };
        script.meet(ID, chain, TraceVerdict::Accept, state(5353));
        script.add(LATER, "ip filter INPUT", TraceCause::Policy, TraceVerdict::Drop);
        assert_eq!(script.finished, [], "{chain}");
    }
}
