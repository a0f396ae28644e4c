//! Changes that other programs may make to dwnl's table, and that all of them are undone.

use super::*;
use crate::model::Interval;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Damage {
    /// A rule in a chain of dwnl's.
    Rule,
    /// A chain, and a rule in a chain of dwnl's that jumps to it.
    Chain,
    /// A set that could be one of dwnl's.
    Set,
    /// One element removed from a set of dwnl's, and another added.
    Element,
    /// A set of dwnl's that is of another kind: a map, whose elements may refer to chains.
    Kind,
    /// A map.
    Map,
    /// A stateful object.
    Object,
    Dormant,
    Policy,
    Hook,
}

const ALL: [Damage; 10] = [
    Damage::Rule,
    Damage::Chain,
    Damage::Set,
    Damage::Element,
    Damage::Kind,
    Damage::Map,
    Damage::Object,
    Damage::Dormant,
    Damage::Policy,
    Damage::Hook,
];
/// What is undone without creating the table again.
const SMALL: [Damage; 3] = [Damage::Rule, Damage::Set, Damage::Element];

impl Damage {
    fn inflict(self, table: &mut InstalledTable) {
        let host = |number| Interval { first: number, last: number };
        let allow = table.chains.get_mut("allow").expect("the chain");
        let set = table.sets.get_mut("cdn-4").expect("the set");
        let foreign = |target: Option<&str>| {
            let target = target.map(Into::into);
            installed(
                999,
                RuleContent::Foreign { expressions: "[…]".into(), target, translation: None },
            )
        };
        match self {
            Damage::Rule => allow.rules.push(foreign(None)),
            Damage::Chain => {
                allow.rules.insert(0, foreign(Some("foreign")));
                let chain = InstalledChain { rules: vec![foreign(None)], ..Default::default() };
                table.chains.insert("foreign".into(), chain);
            }
            Damage::Set => {
                let set = InstalledSet { kind: set.kind, elements: [host(1), host(2)].into() };
                table.sets.insert("foreign".into(), set);
            }
            Damage::Element => {
                let others = set.elements.iter().skip(1).copied();
                set.elements = others.chain([host(u32::MAX.into())]).collect();
            }
            Damage::Kind => set.kind = None,
            Damage::Map => {
                table.sets.insert("map".into(), InstalledSet::default());
            }
            Damage::Object => table.has_foreign_objects = true,
            Damage::Dormant => table.dormant = true,
            Damage::Policy => allow.drops = true,
            Damage::Hook => allow.base = Some(("filter".into(), Hook::Prerouting, 0)),
        }
    }
}

fn damaged(damages: &[Damage]) -> (Ruleset, Vec<String>, Model) {
    let hosts: Vec<u32> = (0..90).collect();
    let ruleset = compile(&policy_of(&hosts, &[], false));
    let mut model = Model { snapshot: Snapshot::default(), next_handle: 1 };
    model.carry_out(&Plan::diff(&ruleset, &model.snapshot).expect("a plan"));
    let intact = state(&model);
    let table = model.snapshot.tables.get_mut(&ruleset.owned_tables[0]).expect("the table");
    damages.iter().for_each(|damage| damage.inflict(table));
    (ruleset, intact, model)
}

proptest! {
    #[test]
    fn a_damaged_table_is_repaired(damages in prop::sample::subsequence(ALL.to_vec(), 1..5)) {
        let (ruleset, intact, mut model) = damaged(&damages);
        prop_assert_ne!(state(&model), intact.clone());
        let plan = Plan::diff(&ruleset, &model.snapshot).expect("a plan");
        model.carry_out(&plan);
        prop_assert_eq!(state(&model), intact);
        prop_assert!(Plan::diff(&ruleset, &model.snapshot).expect("a plan").is_empty());

        let is_small = damages.iter().all(|damage| SMALL.contains(damage));
        let is_created_again = |change: &Change| matches!(change, Change::DeleteTable { .. });
        prop_assert_eq!(plan.changes.iter().any(is_created_again), !is_small);
    }

    #[test]
    fn a_damaged_table_is_deleted_with_everything_in_it(damages in prop::sample::subsequence(ALL.to_vec(), 1..5)) {
        let (ruleset, _, mut model) = damaged(&damages);
        let empty = compile(&unguarded());
        let plan = Plan::teardown(&managed_objects(), &model.snapshot).expect("a plan");
        let mut removed = Model { snapshot: model.snapshot.clone(), next_handle: 1000 };
        removed.carry_out(&plan);
        prop_assert!(removed.snapshot.tables.is_empty());

        model.carry_out(&Plan::diff(&empty, &model.snapshot).expect("a plan"));
        prop_assert!(!model.snapshot.tables.contains_key(&ruleset.owned_tables[0]));
    }
}
