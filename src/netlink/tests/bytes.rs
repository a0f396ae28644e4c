//! The bytes of iptables 1.8.7 as the oracle.

use std::collections::BTreeSet;

use super::*;

/// What iptables 1.8.7 sends: the command, the line that `iptables-save` prints, and the payload
/// of its NEWRULE behind `struct nlmsghdr`, in hexadecimal.
const VECTORS: &str = include_str!("../../../tests/golden/wire-vectors.jsonl");

struct Vector {
    saved: String,
    chain: String,
    payload: Vec<u8>,
}

fn vectors() -> Vec<Vector> {
    let parse = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let text = |key: &str| value[key].as_str().expect("text").to_owned();
        let hex = text("payload");
        let bytes = (0..hex.len()).step_by(2);
        let payload = bytes.map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex")).collect();
        let saved = text("saved");
        let chain = saved.split(' ').nth(1).expect("a chain").to_owned();
        Vector { saved, chain, payload }
    };
    // A mask with holes is what iptables 1.8.7 itself gets wrong: it sends a prefix.
    VECTORS.lines().map(parse).filter(|vector| !vector.saved.contains("/255.0.255.0")).collect()
}

#[test]
fn the_bytes_are_those_of_iptables() {
    let mut known = BTreeSet::new();
    for vector in vectors() {
        let RuleContent::Known(rule) = decoded(&vector.payload, Family::Ip).content else {
            continue;
        };
        let line = format!("-A {} {rule}", vector.chain);
        assert_eq!(line, vector.saved);
        let written = encoded(&path(Family::Ip, &vector.chain), &rule);
        assert_eq!(written, vector.payload, "{line}");
        known.insert(vector.saved);
    }
    for line in [
        "-A DOCKER-BLOCK -p tcp -m tcp --dport 80 -j RETURN",
        "-A DOCKER-BLOCK -p tcp -m tcp --dport 80:90 -j RETURN",
        "-A DOCKER-BLOCK -p udp -m udp --dport 53 -j RETURN",
        "-A DOCKER-BLOCK -p sctp -m sctp --dport 80 -j RETURN",
        "-A DOCKER-BLOCK -p sctp -m sctp --dport 80:90 -j RETURN",
        "-A DOCKER-BLOCK -s 192.0.2.1/32 -d 10.0.0.1/32 -j RETURN",
        "-A DOCKER-BLOCK -s 192.0.2.0/24 -j RETURN",
        "-A DOCKER-BLOCK -s 10.0.0.0/12 -j RETURN",
        "-A DOCKER-BLOCK -s 0.0.0.0/1 -j RETURN",
        "-A DOCKER-BLOCK -d 10.0.0.0/20 -j RETURN",
        "-A DOCKER-BLOCK -i eth0 -j RETURN",
        "-A DOCKER-BLOCK ! -i eth0 -j RETURN",
        "-A DOCKER-BLOCK -i eth+ -j RETURN",
        "-A DOCKER-BLOCK ! -i eth+ -j RETURN",
        "-A DOCKER-BLOCK -i abcdefghijklmno -j RETURN",
        "-A DOCKER-BLOCK -i abcdefghijklmn+ -j RETURN",
        "-A DOCKER-BLOCK -s 10.1.2.3/32 -d 10.0.0.0/8 -i eth0 -p tcp -m tcp --dport 80 -j RETURN",
        "-A DOCKER-BLOCK -m iprange --src-range 10.0.0.1-10.0.0.9 -j RETURN",
        "-A DOCKER-BLOCK -m comment --comment hello -j RETURN",
        "-A DOCKER-BLOCK -m comment --comment \"hello world\" -j RETURN",
        "-A DOCKER-BLOCK -p tcp -m tcp --dport 80 -m comment --comment cc -j RETURN",
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-BLOCK",
        "-A DOCKER-BLOCK -m addrtype --dst-type LOCAL -j RETURN",
        "-A DOCKER-BLOCK -j ACCEPT",
        "-A DOCKER-BLOCK -j OTHER",
        "-A DOCKER-BLOCK -g OTHER",
    ] {
        assert!(known.contains(line), "not known: {line}");
    }
}

#[test]
fn a_rule_of_another_form_is_foreign() {
    for vector in vectors().into_iter().filter(|vector| vector.saved.contains("-m limit")) {
        let content = decoded(&vector.payload, Family::Ip).content;
        assert!(content.to_string().contains("[limit"), "{content}");
    }
}

/// No vector has `--ctstate NEW` alone. The one with ESTABLISHED differs in one byte of
/// the blob (`conntrack` revision 3, states at offset 150).
#[test]
fn the_state_new_is_as_iptables_writes_it() {
    let line = "-A DOCKER-BLOCK -m conntrack --ctstate NEW,ESTABLISHED -j RETURN";
    let vector = vectors().into_iter().find(|vector| vector.saved == line).expect("the vector");
    let rule = iptables([Match::CtStateNew], Verdict::Return);
    let written = encoded(&path(Family::Ip, "DOCKER-BLOCK"), &rule);
    let differing: Vec<(u8, u8)> = written
        .iter()
        .zip(&vector.payload)
        .filter(|(a, b)| a != b)
        .map(|(a, b)| (*a, *b))
        .collect();
    assert_eq!(written.len(), vector.payload.len());
    assert_eq!(differing, [(8, 10)]);
}

/// No vector has `--set-xmark 0x2000/0x2000` or `0x0/0x2000`. Another mark and mask differ in
/// these words of the blob alone (`CONNMARK` revision 2, mark at offset 0, mask at 4).
#[test]
fn the_mark_is_set_and_cleared_as_iptables_writes_it() {
    let line = "-A DOCKER-BLOCK -j CONNMARK --set-xmark 0x1/0xff";
    let vector = vectors().into_iter().find(|vector| vector.saved == line).expect("the vector");
    let words = |value: u32, mask: u32| [value.to_ne_bytes(), mask.to_ne_bytes()].concat();
    let written = words(1, 0xff);
    let offset = vector.payload.windows(8).position(|window| window == written).expect("the mark");
    for (set, value) in [(true, 0x2000), (false, 0)] {
        let rule = iptables([], Verdict::Connmark { bits: 0x2000, set });
        let mut expected = vector.payload.clone();
        expected[offset..offset + 8].copy_from_slice(&words(value, 0x2000));
        assert_eq!(encoded(&path(Family::Ip, "DOCKER-BLOCK"), &rule), expected);
        assert_eq!(decoded(&expected, Family::Ip).content, RuleContent::Known(rule));
    }
    assert!(matches!(decoded(&vector.payload, Family::Ip).content, RuleContent::Foreign { .. }));
}
