//! A restore leads back to what was installed.

use super::*;
use crate::compile::installed as read_installed;
use crate::policy::strategies::policy;

/// The plan that restores what was installed.
fn restoration(before: &Snapshot, now: &Snapshot) -> Plan {
    let plan = match read_installed(before).ruleset {
        Some(ruleset) => Plan::diff(&ruleset, now),
        None => Plan::teardown(&managed_objects(), now),
    };
    plan.expect("a plan")
}

proptest! {
    #[test]
    fn any_policy_is_restored_after_any_other(first in policy(), second in policy()) {
        let mut model = Model { snapshot: Snapshot::default(), next_handle: 1 };
        model.carry_out(&Plan::diff(&compile(&first), &model.snapshot).expect("a plan"));
        let (before, expected) = (model.snapshot.clone(), state(&model));
        prop_assert!(restoration(&before, &model.snapshot).is_empty());
        model.carry_out(&Plan::diff(&compile(&second), &model.snapshot).expect("a plan"));
        model.carry_out(&restoration(&before, &model.snapshot));
        prop_assert_eq!(state(&model), expected);
        prop_assert!(restoration(&before, &model.snapshot).is_empty());
        prop_assert!(read_installed(&before).unrestorable.is_empty());
    }

    #[test]
    fn sets_are_restored(
        first in prop::sample::subsequence((0u32..90).collect::<Vec<_>>(), 40..90),
        second in prop::sample::subsequence((0u32..90).collect::<Vec<_>>(), 40..90),
        is_guarded in any::<[bool; 2]>(),
    ) {
        let mut model = Model { snapshot: Snapshot::default(), next_handle: 1 };
        let first = compile(&policy_of(&first, &[1], is_guarded[0]));
        model.carry_out(&Plan::diff(&first, &model.snapshot).expect("a plan"));
        let (before, expected) = (model.snapshot.clone(), state(&model));
        let second = compile(&policy_of(&second, &[2], is_guarded[1]));
        model.carry_out(&Plan::diff(&second, &model.snapshot).expect("a plan"));
        model.carry_out(&restoration(&before, &model.snapshot));
        prop_assert_eq!(state(&model), expected);
    }

    #[test]
    fn without_rules_before_everything_is_removed(second in policy()) {
        let mut model = Model { snapshot: Snapshot::default(), next_handle: 1 };
        let before = model.snapshot.clone();
        prop_assert!(read_installed(&before).ruleset.is_none());
        model.carry_out(&Plan::diff(&compile(&second), &model.snapshot).expect("a plan"));
        model.carry_out(&restoration(&before, &model.snapshot));
        prop_assert!(model.snapshot.tables.is_empty(), "{:?}", state(&model));
    }

    #[test]
    fn foreign_rules_in_own_chains_are_reported(
        prerouting in prop::collection::vec(0u16..5, 0..8),
        block in prop::collection::vec(prop_oneof![Just(0u16), 10u16..20], 0..12),
        second in policy(),
    ) {
        let mut model = model(&prerouting, &block);
        let before = model.snapshot.clone();
        let foreign = block.iter().filter(|code| **code == 0).count();
        prop_assert_eq!(read_installed(&before).unrestorable.len(), foreign);
        model.carry_out(&Plan::diff(&compile(&second), &model.snapshot).expect("a plan"));
        model.carry_out(&restoration(&before, &model.snapshot));
        let mut expected: Vec<u16> = Vec::new();
        for code in block.iter().filter(|code| **code != 0) {
            if !expected.contains(code) {
                expected.push(*code);
            }
        }
        let expected: Vec<_> =
            expected.into_iter().map(|port| RuleContent::Known(allow(port))).collect();
        prop_assert_eq!(contents(&mut model, "DOCKER-BLOCK"), expected);
        let jumps = |code: u16| prerouting.contains(&code);
        let others = prerouting.iter().filter(|code| !matches!(code, 1 | 2)).count();
        let expected = others + usize::from(jumps(1)) + usize::from(jumps(2));
        prop_assert_eq!(contents(&mut model, "PREROUTING").len(), expected);
    }
}
