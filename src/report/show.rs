//! The report of `show`: what is in the kernel now, and whether it stands where it should.

use std::io::{self, Write};

use dwnl::ruleset::{
    Chain, Extent, Family, InstalledRule, RuleContent, Ruleset, Snapshot, TablePath, WantedRule,
};
use serde::{Serialize, Serializer};

use super::Report;
use super::style::{ERROR, HEADING};
use super::table::write_table;
use super::words::{self, Count, Words};

/// What the kernel holds of what dwnl puts there.
#[derive(Debug, Serialize)]
pub struct Show<'a> {
    generation: u32,
    tables: Vec<TableReport<'a>>,
}

#[derive(Debug, Serialize)]
struct TableReport<'a> {
    #[serde(serialize_with = "words::family")]
    family: Family,
    table: &'a str,
    /// Whether there is anything of dwnl's in it.
    installed: bool,
    chains: Vec<ChainReport<'a>>,
}

#[derive(Debug, Serialize)]
struct ChainReport<'a> {
    chain: &'a str,
    /// How much of the chain is dwnl's.
    #[serde(serialize_with = "extent")]
    extent: Extent,
    exists: bool,
    /// Whether everything in it is where it should be.
    in_place: bool,
    /// The rules of dwnl's that are in it.
    rules: Vec<RuleReport<'a>>,
    /// The rules that should be in it and are not.
    missing: Vec<MissingRule<'a>>,
}

/// A rule in the kernel.
#[derive(Debug, Serialize)]
pub struct RuleReport<'a> {
    /// Its place in the chain, from 1.
    pub position: usize,
    /// The place where it should be, for a rule that has to have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted_position: Option<usize>,
    /// The kernel's number for it.
    pub handle: u64,
    /// Packets counted.
    pub packets: u64,
    /// Bytes counted.
    pub bytes: u64,
    /// What it says.
    pub rule: Words<'a>,
}

#[derive(Debug, Serialize)]
struct MissingRule<'a> {
    wanted_position: usize,
    rule: Words<'a>,
}

impl<'a> Show<'a> {
    /// What the snapshot holds of the chains of `frame`, which every policy has.
    pub fn new(frame: &'a Ruleset, snapshot: &'a Snapshot) -> Show<'a> {
        let mut paths: Vec<&TablePath> =
            frame.chains.iter().map(|chain| &chain.path.table).collect();
        paths.sort();
        paths.dedup();
        let tables = paths.into_iter().map(|path| TableReport::new(path, frame, snapshot));
        Show { generation: snapshot.generation, tables: tables.collect() }
    }
}

impl<'a> TableReport<'a> {
    fn new(path: &'a TablePath, frame: &'a Ruleset, snapshot: &'a Snapshot) -> TableReport<'a> {
        let chains = frame.chains.iter().filter(|chain| chain.path.table == *path);
        let chains: Vec<ChainReport> =
            chains.map(|chain| ChainReport::new(chain, snapshot)).collect();
        let installed = chains.iter().any(ChainReport::is_ours);
        TableReport { family: path.family, table: &path.table, installed, chains }
    }
}

impl<'a> ChainReport<'a> {
    fn new(chain: &'a Chain, snapshot: &'a Snapshot) -> ChainReport<'a> {
        let installed = snapshot.chain(&chain.path);
        let rules = installed.map_or(&[][..], |installed| &installed.rules);
        let (rules, missing) = match chain.extent {
            Extent::Exists => (Vec::new(), Vec::new()),
            Extent::Head => (head_rules(chain, rules), missing_rules(chain, rules)),
            Extent::Whole => (all_rules(rules), Vec::new()),
        };
        ChainReport {
            chain: &chain.path.chain,
            extent: chain.extent,
            exists: installed.is_some(),
            in_place: installed.is_some()
                && missing.is_empty()
                && !rules.iter().any(RuleReport::is_misplaced),
            rules,
            missing,
        }
    }

    /// Whether it holds anything of dwnl's. A chain that only has to exist is somebody else's.
    fn is_ours(&self) -> bool {
        !self.rules.is_empty() || (self.exists && self.extent == Extent::Whole)
    }
}

/// Our rules of a chain that is somebody else's below them, wherever they are.
fn head_rules<'a>(chain: &Chain, installed: &'a [InstalledRule]) -> Vec<RuleReport<'a>> {
    let wanted = |rule: &InstalledRule| {
        chain.rules.iter().position(|wanted| is_same(wanted, rule)).map(|index| index + 1)
    };
    all_rules(installed)
        .into_iter()
        .zip(installed)
        .filter_map(|(report, rule)| {
            Some(RuleReport { wanted_position: Some(wanted(rule)?), ..report })
        })
        .collect()
}

fn missing_rules<'a>(chain: &'a Chain, installed: &[InstalledRule]) -> Vec<MissingRule<'a>> {
    let is_missing = |wanted: &WantedRule| !installed.iter().any(|rule| is_same(wanted, rule));
    let places = (1..).zip(&chain.rules).filter(|(_, wanted)| is_missing(wanted));
    places
        .map(|(wanted_position, wanted)| MissingRule {
            wanted_position,
            rule: Words::Rule(&wanted.rule),
        })
        .collect()
}

fn all_rules(installed: &[InstalledRule]) -> Vec<RuleReport<'_>> {
    (1..).zip(installed).map(|(position, rule)| RuleReport::new(position, rule)).collect()
}

fn is_same(wanted: &WantedRule, installed: &InstalledRule) -> bool {
    matches!(&installed.content, RuleContent::Known(rule) if *rule == wanted.rule)
}

impl<'a> RuleReport<'a> {
    fn new(position: usize, rule: &'a InstalledRule) -> RuleReport<'a> {
        RuleReport {
            position,
            wanted_position: None,
            handle: rule.handle,
            packets: rule.packets,
            bytes: rule.bytes,
            rule: Words::from(&rule.content),
        }
    }

    /// Whether it has to have a place and is not there.
    pub fn is_misplaced(&self) -> bool {
        self.wanted_position.is_some_and(|wanted| wanted != self.position)
    }
}

impl Report for Show<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for table in &self.tables {
            table.write(out)?;
        }
        writeln!(out, "generation {}", self.generation)
    }
}

impl TableReport<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let name = format!("{} {}", self.family, self.table);
        if !self.installed {
            return writeln!(out, "{HEADING}{name}:{HEADING:#} not installed\n");
        }
        for chain in &self.chains {
            write!(out, "{HEADING}{name} {}:{HEADING:#} ", chain.chain)?;
            chain.write_state(out)?;
            write_table(out, &chain.rules)?;
            for MissingRule { wanted_position, rule } in &chain.missing {
                writeln!(out, "missing, should be at position {wanted_position}: {rule}")?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

impl ChainReport<'_> {
    fn write_state(&self, out: &mut dyn Write) -> io::Result<()> {
        match (self.extent, self.exists, self.in_place) {
            (_, false, _) => writeln!(out, "{ERROR}missing{ERROR:#}"),
            (Extent::Exists, ..) => writeln!(out, "exists"),
            (Extent::Whole, ..) => writeln!(out, "{}", Count(self.rules.len(), "rule")),
            (Extent::Head, _, true) => writeln!(out, "in place"),
            (Extent::Head, _, false) => writeln!(out, "{ERROR}not in place{ERROR:#}"),
        }
    }
}

fn extent<S: Serializer>(extent: &Extent, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match extent {
        Extent::Exists => "exists",
        Extent::Head => "head",
        Extent::Whole => "whole",
    })
}

#[cfg(test)]
mod tests {
    use dwnl::ruleset::{InstalledChain, Rule, Verdict};

    use super::super::testing::{allow, frame, json, jump, local, path, text};
    use super::*;

    fn chain(rules: impl IntoIterator<Item = RuleContent>) -> InstalledChain {
        let rule =
            |(handle, content)| InstalledRule { handle, content, packets: 7, bytes: 1_234_567 };
        InstalledChain { rules: (9..).zip(rules).map(rule).collect(), ..InstalledChain::default() }
    }

    fn snapshot(chains: &[(&str, InstalledChain)]) -> Snapshot {
        let mut snapshot = Snapshot { generation: 16, ..Snapshot::default() };
        for (name, chain) in chains {
            let path = path(Family::Ip, name);
            let table = snapshot.tables.entry(path.table.clone()).or_default();
            table.chains.insert(path.chain.clone(), chain.clone());
        }
        snapshot
    }

    fn jumps() -> [RuleContent; 2] {
        [jump("DOCKER-BLOCK"), Verdict::Return].map(|verdict| RuleContent::Known(local(verdict)))
    }

    fn docker() -> RuleContent {
        RuleContent::Known(Rule::new(jump("DOCKER")))
    }

    #[test]
    fn rules_have_their_counters() {
        let odd = RuleContent::Foreign { expressions: "meta mark 1".to_owned(), target: None };
        let rule = RuleContent::Known(allow(Some("192.0.2.7/32"), 443));
        let snapshot = snapshot(&[
            ("PREROUTING", chain(jumps().into_iter().chain([docker()]))),
            ("DOCKER-BLOCK", chain([rule, odd])),
            ("DOCKER", chain([])),
        ]);
        let frame = frame(Family::Ip, Vec::new());
        assert_eq!(
            text(&Show::new(&frame, &snapshot)),
            "\
ip nat PREROUTING: in place
position  handle  packets    bytes  rule
       1       9        7  1234567  -m addrtype --dst-type LOCAL -j DOCKER-BLOCK
       2      10        7  1234567  -m addrtype --dst-type LOCAL -j RETURN

ip nat DOCKER-BLOCK: 2 rules
position  handle  packets    bytes  rule
       1       9        7  1234567  -s 192.0.2.7/32 -p tcp -m tcp --dport 443 -j DOCKER
       2      10        7  1234567  [meta mark 1]

ip nat DOCKER: exists

generation 16
"
        );
    }

    #[test]
    fn what_is_out_of_place_is_told() {
        let [jump, _] = jumps();
        let rules = [docker(), jump.clone(), jump];
        let snapshot = snapshot(&[("PREROUTING", chain(rules)), ("DOCKER-BLOCK", chain([]))]);
        let frame = frame(Family::Ip, Vec::new());
        assert_eq!(
            text(&Show::new(&frame, &snapshot)),
            "\
ip nat PREROUTING: not in place
position  handle  packets    bytes  rule
       2      10        7  1234567  -m addrtype --dst-type LOCAL -j DOCKER-BLOCK  # should be at position 1
       3      11        7  1234567  -m addrtype --dst-type LOCAL -j DOCKER-BLOCK  # should be at position 1
missing, should be at position 2: -m addrtype --dst-type LOCAL -j RETURN

ip nat DOCKER-BLOCK: 0 rules

ip nat DOCKER: missing

generation 16
"
        );
    }

    #[test]
    fn nothing_installed_is_told_by_family() {
        let snapshot = snapshot(&[("PREROUTING", chain([docker()])), ("DOCKER", chain([]))]);
        let mut frame = frame(Family::Ip, Vec::new());
        frame.chains.extend(super::super::testing::frame(Family::Ip6, Vec::new()).chains);
        assert_eq!(
            text(&Show::new(&frame, &snapshot)),
            "ip nat: not installed\n\nip6 nat: not installed\n\ngeneration 16\n"
        );
    }

    #[test]
    fn rules_are_data_for_programs() {
        let [jump, _] = jumps();
        let snapshot = snapshot(&[("PREROUTING", chain([jump]))]);
        let frame = frame(Family::Ip, Vec::new());
        assert_eq!(
            json(&Show::new(&frame, &snapshot)),
            concat!(
                r#"{"generation":16,"tables":[{"family":"ip","table":"nat","installed":true,"#,
                r#""chains":[{"chain":"PREROUTING","extent":"head","exists":true,"#,
                r#""in_place":false,"rules":[{"position":1,"wanted_position":1,"handle":9,"#,
                r#""packets":7,"bytes":1234567,"#,
                r#""rule":"-m addrtype --dst-type LOCAL -j DOCKER-BLOCK"}],"#,
                r#""missing":[{"wanted_position":2,"#,
                r#""rule":"-m addrtype --dst-type LOCAL -j RETURN"}]},"#,
                r#"{"chain":"DOCKER-BLOCK","extent":"whole","exists":false,"in_place":false,"#,
                r#""rules":[],"missing":[]},"#,
                r#"{"chain":"DOCKER","extent":"exists","exists":false,"in_place":false,"#,
                r#""rules":[],"missing":[]}]}]}"#
            )
        );
    }
}
