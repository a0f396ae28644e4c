//! Every policy that the builders accept converges: once applied, there is nothing left to change.

use super::*;
use crate::policy::strategies::policy;

proptest! {
    #[test]
    fn a_valid_policy_converges(policy in policy()) {
        let desired = compile(&policy);
        let mut model = Model { snapshot: Snapshot::default(), next_handle: 1 };
        model.carry_out(&Plan::diff(&desired, &model.snapshot).expect("a plan"));
        let again = Plan::diff(&desired, &model.snapshot).expect("a plan");
        prop_assert!(again.is_empty(), "{again:?}");
    }
}
