//! The interfaces that rules tell apart, as numbers.

use std::collections::BTreeSet;

use super::intervals::Intervals;
use super::rule::Condition;
use super::tables::Tables;
use crate::model::{INTERFACE_NAME_MAX, Interface};

/// The classes of interfaces between which no rule distinguishes: each name that occurs, the other names
/// that begin like a wildcard, and all others, which come last. The loopback interface and Docker's
/// bridges are left out: dwnl leaves what comes from them to Docker.
#[derive(Clone, Debug, Default)]
pub struct Interfaces {
    /// Names, and the beginnings of names.
    names: Vec<(String, bool)>,
}

impl Interfaces {
    /// The interfaces that the rules name.
    pub fn of(tables: &Tables) -> Interfaces {
        let mut names = BTreeSet::new();
        let rules = tables.chains().flat_map(|(_, chain)| &chain.rules);
        for condition in rules.flat_map(|rule| &rule.conditions) {
            if let Condition::Interface { name, is_out: false, .. } = condition {
                let pattern = pattern(name);
                if !pattern.0.is_empty() && !is_inside(name) {
                    names.insert(pattern);
                }
            }
        }
        Interfaces { names: names.into_iter().collect() }
    }

    /// All classes.
    pub fn all(&self) -> Intervals {
        Intervals::range(0, self.names.len() as u128)
    }

    /// The classes of `-i NAME`.
    pub fn matching(&self, name: &str) -> Intervals {
        let (prefix, is_wildcard) = pattern(name);
        if is_wildcard && prefix.is_empty() {
            return self.all();
        }
        let numbers = (0..).zip(&self.names);
        let is_in = |(_, (name, wildcard)): &(u128, &(String, bool))| match is_wildcard {
            true => name.starts_with(&prefix),
            false => *name == prefix && !wildcard,
        };
        Intervals::collect(numbers.filter(is_in).map(|(number, _)| (number, number)))
    }

    /// Conditions that together hold for these classes; `None` stands for any interface. The second
    /// part is the classes for which there is no condition.
    pub fn conditions(&self, classes: &Intervals) -> (Vec<Option<Interface>>, Intervals) {
        let all = self.all();
        if classes.includes(&all) {
            return (vec![None], Intervals::none());
        }
        let mut rest = classes.clone();
        let mut conditions = Vec::new();
        // Wildcards before the names that they cover.
        let mut candidates: Vec<&(String, bool)> = self.names.iter().collect();
        candidates.sort_by_key(|(name, is_wildcard)| (!is_wildcard, name.len()));
        let has_others = classes.contains(self.names.len() as u128);
        // All but one before all but several.
        let negated = candidates.iter().rev().map(|it| (*it, true)).filter(|_| has_others);
        for ((name, is_wildcard), is_negated) in
            negated.chain(candidates.iter().map(|it| (*it, false)))
        {
            let text = format!("{name}{}", if *is_wildcard { "+" } else { "" });
            let matching = self.matching(&text);
            let holds = if is_negated { all.minus(&matching) } else { matching };
            let is_useful = !rest.intersection(&holds).is_empty() && classes.includes(&holds);
            let interface = Interface::new(name, *is_wildcard, is_negated);
            if let (true, Ok(interface)) = (is_useful, interface) {
                rest = rest.minus(&holds);
                conditions.push(Some(interface));
            }
        }
        (conditions, rest)
    }
}

/// Whether packets by this interface come from the host or its containers.
pub fn is_inside(name: &str) -> bool {
    let is_id = |id: &str| id.len() == 12 && id.bytes().all(|c| c.is_ascii_hexdigit());
    matches!(name, "lo" | "docker0" | "docker_gwbridge")
        || name.strip_prefix("br-").is_some_and(is_id)
}

/// Whether `-o CONDITION` holds for an interface.
pub fn matches(condition: &str, interface: &str) -> bool {
    let (prefix, is_wildcard) = pattern(condition);
    if is_wildcard { interface.starts_with(&prefix) } else { interface == prefix }
}

/// The name of a condition without its `+`, and whether it had one.
fn pattern(name: &str) -> (String, bool) {
    let name: String = name.chars().take(INTERFACE_NAME_MAX + 1).collect();
    match name.strip_suffix('+') {
        Some(prefix) => (prefix.to_owned(), true),
        None => (name, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interfaces(names: &[&str]) -> Interfaces {
        Interfaces { names: names.iter().map(|name| pattern(name)).collect() }
    }

    fn text(interfaces: &Interfaces, classes: &Intervals) -> (Vec<String>, bool) {
        let (conditions, rest) = interfaces.conditions(classes);
        let text =
            |it: &Option<Interface>| it.as_ref().map_or("any".to_owned(), ToString::to_string);
        (conditions.iter().map(text).collect(), rest.is_empty())
    }

    #[test]
    fn classes_become_conditions_again() {
        let some = interfaces(&["eth0", "eth+", "wg0"]);
        let all = some.all();
        let of = |name| some.matching(name);
        assert_eq!(text(&some, &all), (vec!["any".to_owned()], true));
        assert_eq!(text(&some, &of("eth0")), (vec!["eth0".to_owned()], true));
        assert_eq!(text(&some, &of("eth+")), (vec!["eth+".to_owned()], true));
        let not_eth0 = all.minus(&of("eth0"));
        assert_eq!(text(&some, &not_eth0), (vec!["!eth0".to_owned()], true));
        let two = of("eth0").union(&of("wg0"));
        assert_eq!(text(&some, &two), (vec!["wg0".to_owned(), "eth0".to_owned()], true));
        // Neither eth0 nor wg0: no single condition.
        let (_, is_complete) = text(&some, &not_eth0.minus(&of("wg0")));
        assert!(!is_complete);
    }

    #[test]
    fn dockers_bridges_are_inside() {
        assert!(is_inside("docker0") && is_inside("br-0123456789ab") && is_inside("lo"));
        assert!(!is_inside("br-lan") && !is_inside("eth0") && !is_inside("docker+"));
        assert!(matches("br-+", "br-0123456789ab") && !matches("docker0", "docker1"));
    }
}
