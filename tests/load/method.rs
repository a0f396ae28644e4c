//! The reload methods that are compared: dwnl, and those that it replaces.

use super::kind::PORT;
use super::support::{Namespace, Output, Random, Topology, apply};

/// Numbers of additional sources of each family: `FEW` are compiled to rules, `MANY` to a set.
const FEW: usize = 20;
const MANY: usize = 100;

/// A program, and the policies that it loads in turn.
pub struct Method {
    pub name: &'static str,
    command: &'static [&'static str],
    texts: Vec<String>,
    /// The policy that dwnl applies at the start of the run.
    first: String,
}

impl Method {
    /// dwnl, changing between rules and sets, with and without the guard.
    pub fn dwnl() -> Method {
        let guards = [false, true];
        let policies = guards.map(|guard| [FEW, MANY].map(|sources| policy(sources, guard)));
        Method::apply("dwnl", policies.concat())
    }

    /// dwnl with the guard, changing between rules and sets, and between different rules.
    pub fn guarded() -> Method {
        let policies = [FEW, FEW / 2, MANY, MANY * 2].map(|sources| policy(sources, true));
        Method::apply("dwnl, proxy", policies.to_vec())
    }

    fn apply(name: &'static str, texts: Vec<String>) -> Method {
        let command = &[env!("CARGO_BIN_EXE_dwnl"), "apply", "--json", "-f", "-"];
        Method { name, command, first: texts[0].clone(), texts }
    }

    /// A shell script with one `iptables` process per rule. No client is let in until all rules
    /// exist.
    pub fn script() -> Method {
        Method::shell("script", |iptables, rules| {
            let block = "PREROUTING -m addrtype --dst-type LOCAL -j RETURN";
            let nat = format!("{iptables} -t nat");
            let rules: String = rules.iter().map(|rule| format!("{nat} {rule}\n")).collect();
            format!("{nat} -I {block}\n{nat} -F DOCKER-BLOCK\n{rules}{nat} -D {block}\n")
        })
    }

    /// `iptables-restore` with one transaction per family.
    pub fn restore() -> Method {
        Method::shell("restore", |iptables, rules| {
            let text = format!("*nat\n:DOCKER-BLOCK - [0:0]\n{}\nCOMMIT", rules.join("\n"));
            format!("{iptables}-restore --noflush <<END\n{text}\nEND\n")
        })
    }

    /// Two shell scripts in turn, each with the text for both families.
    fn shell(name: &'static str, text: impl Fn(&str, &[String]) -> String) -> Method {
        let script = |sources: usize| {
            let families = [("iptables", false), ("ip6tables", true)];
            families.map(|(iptables, ipv6)| text(iptables, &rules(sources, ipv6))).concat()
        };
        let texts = [FEW, FEW / 2].map(script).to_vec();
        Method { name, command: &["sh", "-e"], texts, first: policy(FEW, false) }
    }

    /// Applies the first policy with dwnl, whatever the method.
    pub fn start(&self, host: &Namespace) -> Reloads<'_> {
        apply(host, &self.first);
        Reloads { method: self, last: 0, random: Random::new(1) }
    }
}

/// An endless, reproducible sequence of reloads.
pub struct Reloads<'a> {
    method: &'a Method,
    last: usize,
    random: Random,
}

impl Reloads<'_> {
    /// Loads a policy other than the last one.
    pub fn next(&mut self, host: &Namespace) -> Output {
        let texts = &self.method.texts;
        self.last = (self.last + 1 + self.random.below(texts.len() - 1)) % texts.len();
        host.try_run(self.method.command, &texts[self.last])
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

/// Rules equivalent to dwnl's.
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
