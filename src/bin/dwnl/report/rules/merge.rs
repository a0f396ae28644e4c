//! Merges the rules of IPv4 and IPv6 into one list.

use std::collections::HashMap;

use dwnl::model::{DesiredRule, Family, Rule};

/// A rule of one family or of both.
#[derive(Debug)]
pub struct Merged<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// The only family that it belongs to; `None`: both.
    pub family: Option<Family>,
    /// Its index in the list of its family; in the list of IPv4 if it belongs to both.
    pub index: usize,
}

/// Merges the lists of a chain and keeps the order of both. Rules that both families have at the
/// same place between the others become one; with `same_index` only if their indices are equal.
pub fn merge<'a>(
    ip: &'a [DesiredRule],
    ip6: &'a [DesiredRule],
    same_index: bool,
) -> Vec<Merged<'a>> {
    let (places, places6) = (places(ip), places(ip6));
    let (mut i, mut j) = (0, 0);
    let mut merged = Vec::with_capacity(ip.len().max(ip6.len()));
    loop {
        let (rule, family, index) = match (rule(ip, i), rule(ip6, j)) {
            (None, None) => return merged,
            (Some(rule), Some(rule6)) if rule == rule6 && (i == j || !same_index) => {
                (rule, None, i)
            }
            // A rule that follows later in the other family waits for it, unless both would wait.
            (Some(rule), Some(rule6)) if comes(rule, &places6, j) && !comes(rule6, &places, i) => {
                (rule6, Some(Family::Ip6), j)
            }
            (Some(rule), _) => (rule, Some(Family::Ip), i),
            (None, Some(rule6)) => (rule6, Some(Family::Ip6), j),
        };
        merged.push(Merged { rule, family, index });
        i += usize::from(family != Some(Family::Ip6));
        j += usize::from(family != Some(Family::Ip));
    }
}

fn rule(list: &[DesiredRule], index: usize) -> Option<&Rule> {
    list.get(index).map(|desired| &desired.rule)
}

type Places<'a> = HashMap<&'a Rule, usize>;

fn places(list: &[DesiredRule]) -> Places<'_> {
    list.iter().enumerate().map(|(place, desired)| (&desired.rule, place)).collect()
}

/// Whether a list has the rule at this place or after it.
fn comes(rule: &Rule, places: &Places, from: usize) -> bool {
    places.get(rule).is_some_and(|place| *place >= from)
}

#[cfg(test)]
mod tests {
    use dwnl::model::Match;

    use super::*;
    use crate::report::test_support::allow;

    fn list(rules: &[(Option<&str>, u16)]) -> Vec<DesiredRule> {
        let desired = |(source, port): &(Option<&str>, u16)| DesiredRule {
            rule: allow(*source, *port),
            origin: None,
        };
        rules.iter().map(desired).collect()
    }

    /// The merged list, each rule as its family (`4` and `6`, or `=` for both) and port.
    fn merged(ip: &[DesiredRule], ip6: &[DesiredRule], same_index: bool) -> Vec<String> {
        let name = |line: &Merged| {
            let family = match line.family {
                Some(Family::Ip) => '4',
                Some(Family::Ip6) => '6',
                None | Some(Family::Inet) => '=',
            };
            let rule = line.rule.as_iptables().expect("a rule of iptables");
            let [Match::DestinationPorts(ports)] = &*rule.matches else { unreachable!() };
            format!("{family}{}", ports.first())
        };
        merge(ip, ip6, same_index).iter().map(name).collect()
    }

    #[test]
    fn rules_of_both_families_appear_once() {
        let ip =
            list(&[(Some("192.0.2.1/32"), 1), (None, 2), (Some("192.0.2.1/32"), 3), (None, 4)]);
        let ip6 = list(&[(None, 2), (Some("2001:db8::1/128"), 5), (None, 4), (None, 6)]);
        assert_eq!(merged(&ip, &ip6, false), ["41", "=2", "43", "65", "=4", "66"]);
    }

    #[test]
    fn each_family_keeps_its_order() {
        let ip = list(&[(None, 1), (None, 2), (None, 3)]);
        let ip6 = list(&[(None, 2), (None, 1), (None, 3)]);
        assert_eq!(merged(&ip, &ip6, false), ["41", "=2", "61", "=3"]);
    }

    #[test]
    fn with_same_index_only_rules_of_equal_index_merge() {
        let ip = list(&[(Some("192.0.2.1/32"), 1), (None, 2)]);
        let ip6 = list(&[(None, 2)]);
        assert_eq!(merged(&ip, &ip6, true), ["41", "42", "62"]);
    }

    #[test]
    fn one_list_may_be_empty() {
        let ip6 = list(&[(None, 1)]);
        assert_eq!(merged(&[], &ip6, false), ["61"]);
        assert_eq!(merged(&ip6, &[], false), ["41"]);
        assert!(merged(&[], &[], false).is_empty());
    }
}
