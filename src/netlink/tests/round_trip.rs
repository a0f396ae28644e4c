//! `decode(encode(r)) == r`, and damaged messages.

use proptest::prelude::*;

use super::strategies::{
    ip_version, iptables_rule, large_group_rule, nft_rule, set_kind, sorted_intervals,
};
use super::*;

proptest! {
    #[test]
    fn any_nft_rule_that_is_encoded_is_decoded(rule in nft_rule()) {
        let payload = encoded(&path(Family::Inet, "forward"), &rule);
        prop_assert_eq!(decoded(&payload, Family::Inet).content, RuleContent::Known(rule));
    }

    #[test]
    fn a_damaged_nft_rule_is_decoded_without_panic(
        rule in nft_rule(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut payload = encoded(&path(Family::Inet, "forward"), &rule);
        for (index, byte) in damage {
            let position = index.index(payload.len());
            payload[position] = byte;
        }
        let _ = decode_rule(Attributes::new(&payload[ATTRIBUTES..]), Family::Inet);
        let _ = decode_facts(Attributes::new(&payload[ATTRIBUTES..]), IpVersion::V4);
    }

    #[test]
    fn a_rule_of_a_large_group_that_is_encoded_is_decoded(rule in large_group_rule()) {
        let payload = encoded(&path(Family::Inet, "allow"), &rule);
        prop_assert_eq!(decoded(&payload, Family::Inet).content, RuleContent::Known(rule));
    }

    #[test]
    fn a_set_that_is_encoded_is_decoded(
        (kind, elements) in set_kind().prop_flat_map(|kind| (Just(kind), sorted_intervals(kind)))
    ) {
        let mut batch = Batch::new(1);
        batch.add_set(&set_path(), kind);
        batch.add_elements(&set_path(), kind, &elements);
        let batch = batch.finalize();
        let messages: Vec<_> = Messages::new(batch.bytes()).collect();
        let (name, installed) = decode_set(messages[1].attributes()).expect("a set");
        prop_assert_eq!((name.as_ref(), installed.kind), ("cdn", Some(kind)));
        let mut dumped = DumpedElements::default();
        for message in &messages[2..messages.len() - 1] {
            dumped.read(message.attributes()).expect("elements");
        }
        prop_assert_eq!(dumped.into_intervals(kind), Some(elements));
    }

    #[test]
    fn a_map_that_is_encoded_is_decoded(
        ports in prop::collection::btree_set(any::<u16>(), 0..40),
        chains in prop::collection::vec("[a-z]{1,200}", 40),
    ) {
        // Every second gap is an element, so that some touch each other.
        let bounds: Vec<u16> = ports.into_iter().collect();
        let element = |(pair, chain): (&[u16], &String)| PortTarget {
            first: pair[0],
            last: pair[1] - 1,
            chain: Some(chain.as_str().into()),
        };
        let mut elements: Vec<_> = bounds.windows(2).zip(&chains).map(element).collect();
        elements.retain(|element| element.first % 3 > 0);
        let mut batch = Batch::new(1);
        batch.add_map(&set_path());
        batch.add_targets(&set_path(), &elements);
        let batch = batch.finalize();
        let messages: Vec<_> = Messages::new(batch.bytes()).collect();
        let name = decode_map(messages[1].attributes()).expect("a map");
        prop_assert_eq!(&*name, "cdn");
        let mut dumped = DumpedTargets::default();
        for message in &messages[2..messages.len() - 1] {
            dumped.read(message.attributes()).expect("elements");
        }
        prop_assert_eq!(dumped.into_targets(), Some(elements));
    }

    #[test]
    fn any_elements_are_read_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..128),
        keys in prop::collection::vec((any::<u128>(), any::<bool>()), 0..20),
        kind in set_kind(),
    ) {
        let attributes = Attributes::new(&bytes);
        let _ = (decode_set(attributes.clone()), is_anonymous(attributes.clone()));
        let mut dumped = DumpedElements { keys, ..DumpedElements::default() };
        let _ = (dumped.read(attributes), dumped.into_intervals(kind));
    }

    #[test]
    fn an_iptables_rule_that_is_encoded_is_decoded(
        (version, rule) in ip_version().prop_flat_map(|version| (Just(version), iptables_rule(version)))
    ) {
        let family = Family::from(version);
        let payload = encoded(&path(family, "DOCKER-BLOCK"), &rule);
        prop_assert_eq!(decoded(&payload, family).content, RuleContent::Known(rule));
    }

    #[test]
    fn a_damaged_iptables_rule_is_decoded_without_panic(
        rule in iptables_rule(IpVersion::V4),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut payload = encoded(&path(Family::Ip, "DOCKER-BLOCK"), &rule);
        for (index, byte) in damage {
            let position = index.index(payload.len());
            payload[position] = byte;
        }
        let _ = decode_rule(Attributes::new(&payload[ATTRIBUTES..]), Family::Ip);
        let _ = describe_offset(&payload, 70);
    }
}
