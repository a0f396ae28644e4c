//! Policies of many ports: the plan between any two converges, and a small change is a small plan.

use super::*;
use crate::policy::strategies::many_ports;

proptest! {
    #[test]
    fn maps_converge_from_any_policy_to_any_other(
        before in many_ports(),
        after in many_ports(),
    ) {
        let mut model = Model { snapshot: Snapshot::default(), next_handle: 1 };
        for policy in [&before, &after, &before] {
            let desired = compile(policy);
            model.carry_out(&Plan::diff(&desired, &model.snapshot).expect("a plan"));
            let again = Plan::diff(&desired, &model.snapshot).expect("a plan");
            prop_assert!(again.is_empty(), "{:?}", again);
        }
        let is_recreated = |it: &Change| matches!(it, Change::DeleteTable { .. });
        let plan = Plan::diff(&compile(&after), &model.snapshot).expect("a plan");
        prop_assert!(!plan.changes.iter().any(is_recreated));
    }
}

/// How many changes lead from one policy to another.
fn changes(before: &Policy, after: &Policy) -> Vec<Change> {
    let mut model = Model { snapshot: Snapshot::default(), next_handle: 1 };
    model.carry_out(&Plan::diff(&compile(before), &model.snapshot).expect("a plan"));
    Plan::diff(&compile(after), &model.snapshot).expect("a plan").changes
}

fn scattered(ports: impl Iterator<Item = u16>, sources: &str) -> Policy {
    let entry =
        |port| format!("[[allow]]\nname = 'e{port}'\nports = ['{port}']\nfrom = [{sources}]\n");
    let text: String = ports.map(entry).collect();
    Policy::parse(&text, "p", std::path::Path::new("")).expect("a policy")
}

#[test]
fn a_new_entry_changes_one_chain_and_one_element() {
    let all = || (1..200u16).map(|n| 7 * n);
    let (before, after) = (all().filter(|port| *port != 700), all());
    let changes = changes(&scattered(before, "'192.0.2.1'"), &scattered(after, "'192.0.2.1'"));
    let is_expected = |change: &Change| match change {
        Change::AddChain(path, None) => &*path.chain == "allowed-e700.700-tcp",
        Change::AddRule { chain, .. } => &*chain.chain == "allowed-e700.700-tcp",
        Change::AddTargets { elements, .. } => elements.len() == 1,
        _ => false,
    };
    assert!(changes.len() == 3 && changes.iter().all(is_expected), "{changes:?}");
}

#[test]
fn a_port_that_a_second_entry_allows_moves_alone() {
    let ports = (1..100u16).map(|n| 7 * n);
    let before = scattered(ports, "'192.0.2.1'");
    let another = Allow::builder([Ports::single(Protocol::Tcp, 70).expect("a port")]);
    let policy = Policy::builder().allow_all(before.allow().to_vec());
    let after = policy.allow(another.name("another").build().expect("an entry")).build();
    let changes = changes(&before, &after.expect("a policy"));
    assert!(changes.len() <= 9, "{changes:?}");
    let moved = changes.iter().filter_map(|change| match change {
        Change::AddTargets { elements, .. } | Change::DeleteTargets { elements, .. } => {
            Some(elements.len())
        }
        _ => None,
    });
    assert_eq!(moved.collect::<Vec<_>>(), [1, 1]);
}
