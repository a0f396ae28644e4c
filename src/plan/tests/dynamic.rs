//! Sets whose elements are the kernel's to keep.

use super::*;
use crate::model::{IpVersion, Set, SetKind};

const SET: &str = "docker-tcp";

/// A policy's ruleset with a large group, and a dynamic set beside the group's.
fn wanted_with_ports() -> Ruleset {
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
fn a_dynamic_set_is_made_and_left_to_the_kernel() {
    let desired = wanted_with_ports();
    let mut model = Model { snapshot: Snapshot::default(), next_handle: 1 };
    let first = plan(&desired, &model);
    let is_made = |change: &Change| matches!(change, Change::AddSet(_, SetKind::DynamicPorts));
    assert!(first.changes.iter().any(is_made));
    assert!(first.changes.iter().any(|change| is_filled(change, "cdn-4")));
    assert!(!first.changes.iter().any(|change| is_filled(change, SET)));
    model.carry_out(&first);
    assert!(plan(&desired, &model).is_empty());
}

#[test]
fn a_dynamic_set_goes_when_nothing_needs_it() {
    let mut desired = wanted_with_ports();
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
fn a_set_of_addresses_does_not_become_a_dynamic_one() {
    let desired = wanted_with_ports();
    let mut model = model_of(&desired);
    let table = model.snapshot.tables.get_mut(&desired.owned_tables[0]).expect("our table");
    let set = table.sets.get_mut(SET).expect("our set");
    set.kind = Some(SetKind::Hosts { version: IpVersion::V4, capacity: SetKind::PORTS });
    let anew = plan(&desired, &model);
    assert!(anew.changes.iter().any(|change| matches!(change, Change::DeleteTable { .. })));
    model.carry_out(&anew);
    assert!(plan(&desired, &model).is_empty());
}
