//! The report of `plan`: what would change, grouped by chain or set.

use std::io::{self, Write};

use dwnl::model::{ForeignTranslations, Set};
use dwnl::plan::Plan;
use serde::{Serialize, Serializer};

use super::Report;
use super::change::ChangeReport;
use super::count::{Counted, Thousands};
use super::style::HEADING;
use super::translations::write_left_out;

/// The difference between the policy and the kernel.
#[derive(Debug, Serialize)]
pub struct Difference<'a> {
    changed: bool,
    added: usize,
    removed: usize,
    unchanged: usize,
    generation: u32,
    changes: Vec<ChangeReport<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "translations")]
    foreign_translations: &'a [ForeignTranslations],
    /// What the operator has to be warned of, for programs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    #[serde(skip)]
    counted: Counted,
    #[serde(skip)]
    verbose: bool,
}

impl<'a> Difference<'a> {
    /// What the plan, which leads to these sets, would change; `verbose`: with places, handles,
    /// origins and all elements.
    pub fn new(plan: &'a Plan, sets: &[Set], verbose: bool) -> Difference<'a> {
        Difference {
            changed: !plan.is_empty(),
            added: plan.added(),
            removed: plan.removed(),
            unchanged: plan.unchanged,
            generation: plan.generation,
            changes: ChangeReport::list(&plan.changes),
            foreign_translations: &plan.foreign_translations,
            warnings: Vec::new(),
            counted: Counted::of(plan, sets),
            verbose,
        }
    }

    /// The changes, for programs.
    pub fn changes(&self) -> &[ChangeReport<'a>] {
        &self.changes
    }

    /// The tables and chains or sets that would change, as nft writes them.
    pub fn places(&self) -> Vec<String> {
        self.groups().into_iter().map(|group| group.path).collect()
    }

    /// Writes the changes, without the summary.
    pub fn write_changes(&self, out: &mut dyn Write) -> io::Result<()> {
        for group in self.groups() {
            write!(out, "{HEADING}{}{HEADING:#}", group.path)?;
            for change in &group.changes {
                change.write_heading(out)?;
            }
            writeln!(out)?;
            for change in &group.changes {
                change.write_lines(out, self.verbose)?;
            }
        }
        Ok(())
    }

    /// The changes by table and chain or set, in the order in which those come first. There are
    /// few of them, and the changes of one mostly stand together.
    fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group> = Vec::new();
        for change in &self.changes {
            match groups.iter_mut().rev().find(|group| group.is_of(change)) {
                Some(group) => group.changes.push(change),
                None => groups.push(Group { path: change.path(), changes: vec![change] }),
            }
        }
        groups
    }
}

/// The changes of one chain or set, or of a table itself.
struct Group<'a> {
    path: String,
    changes: Vec<&'a ChangeReport<'a>>,
}

impl Group<'_> {
    fn is_of(&self, change: &ChangeReport) -> bool {
        self.changes.first().is_some_and(|first| first.address() == change.address())
    }
}

impl Report for Difference<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_changes(out)?;
        let Difference { counted, generation, .. } = self;
        if self.changed {
            let added = counted.count(self.added);
            let (removed, unchanged) = (Thousands(self.removed), Thousands(self.unchanged));
            writeln!(
                out,
                "plan: {added} to add, {removed} to remove, {unchanged} unchanged \
                 (generation {generation})"
            )?;
        } else {
            let standing = counted.up_to_date(self.unchanged);
            writeln!(out, "nothing to do: {standing} (generation {generation})")?;
        }
        write_left_out(out, self.foreign_translations)
    }
}

fn translations<S: Serializer>(
    translations: &&[ForeignTranslations],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    super::translations::serialize(translations, serializer)
}

#[cfg(test)]
mod tests {
    use dwnl::model::{BaseChain, Family, IpVersion, Position, RuleContent, SetKind};
    use dwnl::plan::Change;

    use super::super::test_support::{
        HOSTS, allow, hosts, json, jump, large_group, local, lookup, origin, own_path, path,
        set_path, text,
    };
    use super::*;

    fn plan() -> Plan {
        let prerouting = path(Family::Ip, "PREROUTING");
        let block = path(Family::Ip, "DOCKER-BLOCK");
        let old = RuleContent::Known(allow(Some("192.0.2.9/32"), 80));
        let odd = RuleContent::Foreign {
            expressions: "[meta mark 1]".to_owned(),
            target: None,
            translation: None,
        };
        let rule = |chain, place, rule, origin| Change::AddRule { chain, place, rule, origin };
        let changes = vec![
            Change::AddTable(prerouting.table.clone()),
            Change::AddChain(prerouting.clone(), Some(BaseChain::NAT_PREROUTING)),
            Change::AddChain(block.clone(), None),
            rule(block.clone(), Position::Append, allow(Some("192.0.2.7/32"), 443), Some(origin())),
            Change::DeleteRule { chain: block.clone(), handle: 9, content: old.clone() },
            rule(prerouting, Position::Before(4), local(jump("DOCKER-BLOCK")), None),
            Change::FlushChain {
                chain: path(Family::Ip6, "DOCKER-BLOCK"),
                contents: vec![old, odd],
            },
            Change::DeleteChain(path(Family::Ip6, "DOCKER-BLOCK")),
        ];
        Plan { generation: 16, changes, unchanged: 4, ..Plan::default() }
    }

    #[test]
    fn changes_are_grouped_by_chain() {
        assert_eq!(
            text(&Difference::new(&plan(), &[], false)),
            "\
ip nat (new table)
ip nat PREROUTING (new chain: type nat hook prerouting priority dstnat)
+ -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-BLOCK
ip nat DOCKER-BLOCK (new chain)
+ -A DOCKER-BLOCK -s 192.0.2.7/32 -p tcp -m tcp --dport 443 -j DOCKER
- -A DOCKER-BLOCK -s 192.0.2.9/32 -p tcp -m tcp --dport 80 -j DOCKER
ip6 nat DOCKER-BLOCK (chain deleted)
- -A DOCKER-BLOCK -s 192.0.2.9/32 -p tcp -m tcp --dport 80 -j DOCKER
- -A DOCKER-BLOCK [meta mark 1]
plan: 2 rules to add, 3 to remove, 4 unchanged (generation 16)
"
        );
    }

    #[test]
    fn places_and_origins_are_told_when_asked_for() {
        let verbose = text(&Difference::new(&plan(), &[], true));
        let remarks: Vec<&str> =
            verbose.lines().filter_map(|line| Some(line.split_once("  # ")?.1)).collect();
        assert_eq!(remarks, ["before handle 4", "entry `web` (p.toml:12:1)", "handle 9"]);
    }

    #[test]
    fn an_empty_plan_says_so() {
        let plan = Plan { generation: 16, changes: Vec::new(), unchanged: 43, ..Plan::default() };
        let difference = Difference::new(&plan, &[], false);
        assert_eq!(text(&difference), "nothing to do: 43 rules stand (generation 16)\n");
        assert_eq!(
            json(&difference),
            r#"{"changed":false,"added":0,"removed":0,"unchanged":43,"generation":16,"changes":[]}"#
        );
    }

    #[test]
    fn changes_are_data_for_programs() {
        let json = json(&Difference::new(&plan(), &[], false));
        for part in [
            r#"{"changed":true,"added":2,"removed":3,"unchanged":4,"generation":16,"changes":["#,
            r#"{"op":"add-table","family":"ip","table":"nat"}"#,
            concat!(
                r#"{"op":"add-chain","family":"ip","table":"nat","chain":"PREROUTING","#,
                r#""base":"type nat hook prerouting priority dstnat"}"#
            ),
            concat!(
                r#"{"op":"add-rule","family":"ip","table":"nat","chain":"DOCKER-BLOCK","#,
                r#""rule":"-s 192.0.2.7/32 -p tcp -m tcp --dport 443 -j DOCKER","#,
                r#""origin":{"entry":"web","at":{"file":"p.toml","line":12,"column":1},"#,
                r#""group":null,"source":null}}"#
            ),
            r#""rule":"-m addrtype --dst-type LOCAL -j DOCKER-BLOCK","before":4}"#,
            r#""rule":"-s 192.0.2.9/32 -p tcp -m tcp --dport 80 -j DOCKER","handle":9}"#,
            r#"{"op":"delete-rule","family":"ip6","table":"nat","chain":"DOCKER-BLOCK","rule":"[meta mark 1]"}"#,
            r#"{"op":"delete-chain","family":"ip6","table":"nat","chain":"DOCKER-BLOCK"}]}"#,
        ] {
            assert!(json.contains(part), "{part}\nis not in\n{json}");
        }
    }

    fn set_plan() -> Plan {
        let kind = HOSTS;
        let added = |set, number| Change::AddElements {
            set: set_path(set),
            kind,
            elements: hosts(number).into(),
            origin: "group `cdn`".into(),
        };
        let changes = vec![
            Change::AddSet(set_path("cdn-4"), kind),
            added("cdn-4", 11),
            Change::DeleteElements { set: set_path("edge-4"), kind, elements: hosts(1) },
            added("edge-4", 2),
            Change::FlushChain { chain: own_path("allow"), contents: Vec::new() },
            Change::ReplaceSet {
                set: set_path("vpn-4"),
                kind,
                elements: hosts(23).split_off(11).into(),
                before: hosts(11).into(),
                unchanged: 0,
                origin: "group `vpn`".into(),
            },
            Change::ReplaceSet {
                set: set_path("wan-4"),
                kind,
                elements: hosts(2).into(),
                before: hosts(4).split_off(1).into(),
                unchanged: 1,
                origin: "group `wan`".into(),
            },
            Change::RestoreRule {
                chain: own_path("allow"),
                rule: lookup(IpVersion::V4, "vpn-4"),
                packets: 7,
                bytes: 420,
            },
            Change::AddRule {
                chain: own_path("allow"),
                place: Position::Append,
                rule: lookup(IpVersion::V4, "cdn-4"),
                origin: None,
            },
            Change::DeleteSet { set: set_path("old-6"), elements: 2 },
            Change::DeleteSet { set: set_path("older-6"), elements: 0 },
        ];
        Plan { generation: 16, changes, unchanged: 1_234, ..Plan::default() }
    }

    #[test]
    fn elements_are_told_one_by_one_if_they_are_few() {
        assert_eq!(
            text(&Difference::new(&set_plan(), &[], false)),
            "\
inet dwnl cdn-4 (new set: type ipv4_addr; size 1024)
+ 11 elements
inet dwnl edge-4
- 203.0.113.0
+ 203.0.113.0
+ 203.0.113.1
inet dwnl vpn-4
- all 11 elements
+ 12 elements
inet dwnl wan-4
- 203.0.113.2
- 203.0.113.3
+ 203.0.113.0
inet dwnl allow
+ tcp dport 443 ip saddr @cdn-4 fib daddr type local counter ct mark set ct mark | 0x00002000
inet dwnl old-6 (set deleted)
- all 2 elements
inet dwnl older-6 (set deleted)
plan: 27 rules and elements to add, 16 to remove, 1,234 unchanged (generation 16)
"
        );
    }

    #[test]
    fn all_elements_are_told_when_asked_for() {
        let verbose = text(&Difference::new(&set_plan(), &[], true));
        let lines: Vec<&str> = verbose.lines().skip(1).take(11).collect();
        assert_eq!(lines[0], "+ 203.0.113.0  # group `cdn`");
        assert_eq!(lines[10], "+ 203.0.113.10  # group `cdn`");
    }

    #[test]
    fn an_empty_plan_that_leads_to_sets_counts_their_elements() {
        let plan = Plan { generation: 16, changes: Vec::new(), unchanged: 43, ..Plan::default() };
        assert_eq!(
            text(&Difference::new(&plan, &large_group().sets, false)),
            "nothing to do: 43 rules and elements stand (generation 16)\n"
        );
    }

    #[test]
    fn a_plan_that_leads_to_dynamic_sets_alone_counts_rules() {
        let mut sets = large_group().sets;
        sets.truncate(1);
        sets[0].kind = SetKind::DynamicPorts;
        let changes = vec![Change::AddSet(set_path("docker-tcp"), SetKind::DynamicPorts)];
        let plan = Plan { generation: 16, changes, unchanged: 43, ..Plan::default() };
        assert_eq!(
            text(&Difference::new(&plan, &sets, false)),
            "\
inet dwnl docker-tcp (new set: type inet_service; size 65535; flags dynamic,timeout)
plan: 0 rules to add, 0 to remove, 43 unchanged (generation 16)
"
        );
    }

    #[test]
    fn elements_are_data_for_programs() {
        let json = json(&Difference::new(&set_plan(), &[], false));
        for part in [
            concat!(
                r#"{"op":"add-set","family":"inet","table":"dwnl","set":"cdn-4","#,
                r#""kind":"type ipv4_addr; size 1024"}"#
            ),
            concat!(
                r#"{"op":"delete-elements","family":"inet","table":"dwnl","set":"edge-4","#,
                r#""count":1,"elements":["203.0.113.0"]}"#
            ),
            concat!(
                r#"{"op":"add-elements","family":"inet","table":"dwnl","set":"edge-4","#,
                r#""count":2,"elements":["203.0.113.0","203.0.113.1"],"holds":"group `cdn`"}"#
            ),
            concat!(
                r#"{"op":"flush-set","family":"inet","table":"dwnl","set":"vpn-4","#,
                r#""count":11}"#
            ),
            r#"{"op":"delete-set","family":"inet","table":"dwnl","set":"old-6","count":2}"#,
        ] {
            assert!(json.contains(part), "{part}\nis not in\n{json}");
        }
    }
}
