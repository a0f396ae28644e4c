//! The kernel returns every rule of a valid policy as it was sent.

use proptest::prelude::*;

use super::*;
use crate::compile;
use crate::policy::strategies::policy;

proptest! {
    #[test]
    fn the_rules_of_a_valid_policy_are_decoded_as_they_were_encoded(policy in policy()) {
        for chain in compile(&policy).chains {
            let family = chain.path.table.family;
            for desired in chain.rules.iter() {
                let payload = encoded(&path(family, "DOCKER-BLOCK"), &desired.rule);
                let RuleContent::Known(rule) = decoded(&payload, family).content else {
                    return Err(TestCaseError::fail(desired.rule.to_string()));
                };
                prop_assert_eq!(&rule, &desired.rule);
            }
        }
    }
}
