//! Reduces the report of `show` to what a pattern names.

use dwnl::model::{Ports, Protocol, Rule};

use super::super::format::RuleText;
use super::{ChainReport, SetReport, Show};

/// What to show: a chain, a set, a group, an entry or a port.
struct Pattern<'a> {
    text: &'a str,
    /// The ports that it means: those of one protocol, or of all.
    ports: Vec<Ports>,
}

impl<'a> Show<'a> {
    /// Keeps only chains and sets whose name is `pattern`, where `*` stands for any characters, and
    /// rules of an entry of this name or for this port.
    pub fn retain(&mut self, pattern: &'a str) {
        self.pattern = Some(pattern);
        let pattern = Pattern::new(pattern);
        for table in &mut self.tables {
            table.sets.retain(|set| pattern.is_set(set));
            table.chains.retain_mut(|chain| pattern.is_name(chain.chain) || pattern.keep(chain));
        }
        self.tables.retain(|table| !table.chains.is_empty() || !table.sets.is_empty());
        self.foreign_translations.clear();
    }
}

impl<'a> Pattern<'a> {
    fn new(text: &'a str) -> Pattern<'a> {
        let of = |protocol: Protocol| format!("{text}/{protocol}");
        let texts = [text.to_owned()].into_iter().filter(|text| text.contains('/'));
        let texts = texts.chain(Protocol::ALL.into_iter().map(of));
        Pattern { text, ports: texts.filter_map(|text| text.parse().ok()).collect() }
    }

    fn is_name(&self, name: &str) -> bool {
        matches(self.text, name)
    }

    fn is_set(&self, set: &SetReport) -> bool {
        self.is_name(set.set) || set.group.is_some_and(|group| self.is_name(group))
    }

    /// Keeps the rules of a chain that the pattern means: all, if a map leads to the chain for its ports. Returns whether there are any.
    fn keep(&self, chain: &mut ChainReport) -> bool {
        if chain.ports.iter().any(|ports| self.has(*ports)) {
            return true;
        }
        chain.rules.retain(|report| self.is_rule(report.rule));
        chain.missing_rules.retain(|report| self.is_rule(report.rule));
        !chain.rules.is_empty() || !chain.missing_rules.is_empty()
    }

    fn is_rule(&self, rule: RuleText) -> bool {
        let RuleText::Rule(rule) = rule else { return false };
        rule.comment().is_some_and(|comment| self.is_name(comment)) || self.has_port_of(rule)
    }

    fn has_port_of(&self, rule: &Rule) -> bool {
        rule.ports().is_some_and(|ports| self.has(ports))
    }

    /// Whether some of the ports are among those that it means.
    fn has(&self, others: Ports) -> bool {
        let overlaps = |ports: &Ports| {
            ports.protocol() == others.protocol()
                && ports.first() <= others.last()
                && others.first() <= ports.last()
        };
        self.ports.iter().any(overlaps)
    }
}

/// Whether a name is the pattern, in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match name.split_once(part) {
            Some((_, behind)) => name = behind,
            None => return false,
        }
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, expected) in [
            ("web", "web", true),
            ("web", "web2", false),
            ("DOCKER*", "DOCKER-BLOCK", true),
            ("*-BLOCK", "DOCKER-BLOCK", true),
            ("*", "", true),
            ("D*R*K", "DOCKER-BLOCK", true),
            ("D*B*B*", "DOCKER-BLOCK", false),
            ("a*a", "a", false),
            ("a**b", "ab", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
