//! Sets whose elements the kernel maintains.

use super::*;
use crate::model::{IpVersion, Set, SetKind};

const SET: &str = "docker-tcp";

/// A policy's ruleset with a large group, and a dynamic set in addition to the group's.
fn desired_with_ports() -> Ruleset {
    let mut desired = compile(&policy_of(&(0..70).collect::<Vec<_>>(), &[], true));
    let table = desired.owned_tables[0].clone();
    desired.sets.push(Set {
        path: Arc::new(SetPath { table, set: SET.into() }),
        kind: SetKind::DynamicPorts,
        elements: Arc::default(),
        origin: "ports that docker-proxy listens on".into(),
    });
    desired
}

fn plan(desired: &Ruleset, model: &Model) -> Plan {
    Plan::diff(desired, &model.snapshot).expect("a plan")
}

fn model_of(desired: &Ruleset) -> Model {
    let mut model = Model { snapshot: Snapshot::default(), next_handle: 1 };
    let plan = plan(desired, &model);
    model.carry_out(&plan);
    model
}

fn is_filled(change: &Change, name: &str) -> bool {
    matches!(change, Change::AddElements { set, .. } if set.set.as_ref() == name)
}

#[test]
fn a_dynamic_set_is_created_and_its_elements_are_ignored() {
    let desired = desired_with_ports();
    let mut model = Model { snapshot: Snapshot::default(), next_handle: 1 };
    let first = plan(&desired, &model);
    let is_created = |change: &Change| matches!(change, Change::AddSet(_, SetKind::DynamicPorts));
    assert!(first.changes.iter().any(is_created));
    assert!(first.changes.iter().any(|change| is_filled(change, "cdn-4")));
    assert!(!first.changes.iter().any(|change| is_filled(change, SET)));
    model.carry_out(&first);
    assert!(plan(&desired, &model).is_empty());
}

#[test]
fn a_dynamic_set_that_nothing_needs_is_deleted() {
    let mut desired = desired_with_ports();
    let mut model = model_of(&desired);
    desired.sets.pop();
    let plan = plan(&desired, &model);
    let [Change::DeleteSet { set, elements: 0 }] = &plan.changes[..] else {
        unreachable!("{plan:?}");
    };
    assert_eq!(set.set.as_ref(), SET);
    model.carry_out(&plan);
}

#[test]
fn a_set_of_addresses_is_not_changed_to_a_dynamic_one() {
    let desired = desired_with_ports();
    let mut model = model_of(&desired);
    let table = model.snapshot.tables.get_mut(&desired.owned_tables[0]).expect("the table");
    let set = table.sets.get_mut(SET).expect("the set");
    set.kind = Some(SetKind::Hosts { version: IpVersion::V4, capacity: SetKind::PORTS });
    let again = plan(&desired, &model);
    assert!(again.changes.iter().any(|change| matches!(change, Change::DeleteTable { .. })));
    model.carry_out(&again);
    assert!(plan(&desired, &model).is_empty());
}
