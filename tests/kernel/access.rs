//! `plan` says in the words of the policy what would change for whom: `tests/golden/access.txt`.

use std::fs;

use super::support::{Namespace, apply, dwnl};

const TABLE: &str = "tests/golden/access.txt";

/// Docker's rules for the published ports 443 and 8080.
const DOCKER: &str = "
    table ip nat {
        chain DOCKER {
            iifname != \"docker0\" tcp dport 443 counter dnat to 172.17.0.2:443
            iifname != \"docker0\" tcp dport 8080 counter dnat to 172.17.0.2:80
        }
        chain PREROUTING { type nat hook prerouting priority dstnat; fib daddr type local jump DOCKER; }
    }";

/// The settings of every policy of the table: the machine that runs the test may run a dockerd.
const GUARD: &str = "[guard]\ndocker-cgroup = \"dwnl-test-none\"\n";

/// A change: its title, the policy before, commands of other programs, and the policy after.
struct Case<'a> {
    title: &'a str,
    before: &'a str,
    commands: &'a str,
    after: &'a str,
    expected: &'a str,
}

impl<'a> Case<'a> {
    fn parse(text: &'a str) -> Case<'a> {
        let (title, rest) = text.split_once('\n').expect("a title");
        let part = |name: &str| {
            let (_, part) = rest.split_once(&format!("--- {name}\n")).unwrap_or_default();
            part.split("--- ").next().unwrap_or_default().trim()
        };
        let [before, commands, after] = ["before", "commands", "after"].map(part);
        Case { title, before, commands, after, expected: part("plan") }
    }

    /// What `plan` prints without the counts of rules, and its exit status.
    fn found(&self) -> String {
        let host = Namespace::new();
        host.try_run(&["nft", "-f", "-"], DOCKER).succeeded();
        if self.before != "(none)" {
            apply(&host, &policy(self.before));
        }
        if !self.commands.is_empty() {
            host.run(&["sh", "-ec", self.commands]);
        }
        let output = dwnl(&host, &["plan", "--exit-code", "-f", "-"], &policy(self.after));
        let counts = ["kernel: ", "up to date: "];
        let lines = output.stdout.lines();
        let lines = lines.filter(|line| !counts.iter().any(|count| line.starts_with(count)));
        let status = format!("exit status {}", output.status.code().expect("a status"));
        lines.chain([status.as_str()]).collect::<Vec<_>>().join("\n")
    }
}

/// The policy of the table with its many addresses written out, and the settings.
fn policy(text: &str) -> String {
    let many = |range: std::ops::Range<u32>| {
        let address = |number: u32| format!("\"10.0.{}.{}\"", number / 128, number % 128 * 2);
        range.map(address).collect::<Vec<_>>().join(", ")
    };
    let text = text
        .replace("\"100 addresses\"", &many(0..100))
        .replace("\"100 other addresses\"", &many(1000..1100));
    if text.contains("enabled = false") {
        return text;
    }
    if text.contains("[guard]") {
        let setting = GUARD.lines().last().unwrap_or_default();
        return text.replace("[guard]", &format!("[guard]\n{setting}"));
    }
    text + "\n" + GUARD
}

#[test]
fn a_plan_says_who_gains_and_who_loses_access() {
    let table = fs::read_to_string(TABLE).expect("the table");
    let cases: Vec<Case> = table.split("=== ").skip(1).map(Case::parse).collect();
    assert!(cases.len() >= 20, "the table has only {} changes", cases.len());
    let mut differences = String::new();
    for case in &cases {
        let found = case.found();
        if found != case.expected {
            differences += &format!("=== {}\n{found}\n", case.title);
        }
    }
    assert!(differences.is_empty(), "other summaries than in {TABLE}:\n{differences}");
}
