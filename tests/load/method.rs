//! The ways to reload that are compared: dwnl, and what it replaces.

use super::kind::PORT;
use super::support::{Namespace, Output, Random, Topology, apply};

/// Sources besides the allowed, of each family: so few become rules, so many a set.
const FEW: usize = 20;
const MANY: usize = 100;

/// A program, and the policies that it is given by turns.
pub struct Way {
    pub name: &'static str,
    command: &'static [&'static str],
    texts: Vec<String>,
    /// A policy for dwnl, by which the run begins.
    first: String,
}

impl Way {
    /// From rules to sets and back, with the guard and without.
    pub fn dwnl() -> Way {
        let guards = [false, true];
        let policies = guards.map(|guard| [FEW, MANY].map(|sources| policy(sources, guard)));
        Way::apply("dwnl", policies.concat())
    }

    /// From rules to sets and back under the guard, and to other rules.
    pub fn guarded() -> Way {
        let policies = [FEW, FEW / 2, MANY, MANY * 2].map(|sources| policy(sources, true));
        Way::apply("dwnl, proxy", policies.to_vec())
    }

    fn apply(name: &'static str, texts: Vec<String>) -> Way {
        let command = &[env!("CARGO_BIN_EXE_dwnl"), "apply", "--json", "-f", "-"];
        Way { name, command, first: texts[0].clone(), texts }
    }

    /// One `iptables` process for each rule; nobody is let in until all are there.
    pub fn script() -> Way {
        Way::shell("script", |iptables, rules| {
            let hold = "PREROUTING -m addrtype --dst-type LOCAL -j RETURN";
            let nat = format!("{iptables} -t nat");
            let rules: String = rules.iter().map(|rule| format!("{nat} {rule}\n")).collect();
            format!("{nat} -I {hold}\n{nat} -F DOCKER-BLOCK\n{rules}{nat} -D {hold}\n")
        })
    }

    /// One transaction for each family.
    pub fn restore() -> Way {
        Way::shell("restore", |iptables, rules| {
            let text = format!("*nat\n:DOCKER-BLOCK - [0:0]\n{}\nCOMMIT", rules.join("\n"));
            format!("{iptables}-restore --noflush <<END\n{text}\nEND\n")
        })
    }

    /// By turns two shell scripts, each of which is made of what `text` says for each family.
    fn shell(name: &'static str, text: impl Fn(&str, &[String]) -> String) -> Way {
        let script = |sources: usize| {
            let families = [("iptables", false), ("ip6tables", true)];
            families.map(|(iptables, ipv6)| text(iptables, &rules(sources, ipv6))).concat()
        };
        let texts = [FEW, FEW / 2].map(script).to_vec();
        Way { name, command: &["sh", "-e"], texts, first: policy(FEW, false) }
    }

    /// Applies the first policy, by dwnl whatever the way.
    pub fn start(&self, host: &Namespace) -> Reloads<'_> {
        apply(host, &self.first);
        Reloads { way: self, last: 0, random: Random::new(1) }
    }
}

/// An endless sequence of reloads, which is the same each time.
pub struct Reloads<'a> {
    way: &'a Way,
    last: usize,
    random: Random,
}

impl Reloads<'_> {
    /// Loads another policy than the last.
    pub fn next(&mut self, host: &Namespace) -> Output {
        let texts = &self.way.texts;
        self.last = (self.last + 1 + self.random.below(texts.len() - 1)) % texts.len();
        host.try_run(self.way.command, &texts[self.last])
    }
}

/// The allowed source among others.
fn sources(others: usize, ipv6: bool) -> Vec<String> {
    let allowed = if ipv6 { Topology::ALLOWED6 } else { Topology::ALLOWED };
    let other = |n| if ipv6 { format!("2001:db8:1::{n:x}") } else { format!("203.0.113.{n}") };
    (0..others).map(other).chain([allowed.to_owned()]).collect()
}

fn policy(others: usize, guard: bool) -> String {
    let sources = [false, true].map(|ipv6| sources(others, ipv6)).concat();
    format!(
        "[[allow]]\nports = [\"{PORT}/tcp\", \"{PORT}/udp\"]\nfrom = {sources:?}\n\
         [guard]\nenabled = {guard}\n"
    )
}

/// The same as dwnl's rules.
fn rules(others: usize, ipv6: bool) -> Vec<String> {
    let rule = |source: &String| {
        ["tcp", "udp"].map(|protocol| {
            format!(
                "-A DOCKER-BLOCK -s {source} -p {protocol} -m {protocol} --dport {PORT} \
                 -m conntrack --ctstate NEW -j DOCKER"
            )
        })
    };
    sources(others, ipv6).iter().flat_map(rule).collect()
}
