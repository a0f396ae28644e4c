//! The report of `plan`: the changes by table, chain or set.

use std::io::{self, Write};

use dwnl::engine::Preview;
use dwnl::model::ForeignTranslations;
use dwnl::plan::Plan;
use serde::{Serialize, Serializer};

use super::access::{AccessReport, Tense};
use super::change::ChangeReport;
use super::count::Counts;
use super::foreign_translations::{self, write_left_out};
use super::grants::{GrantCounts, write_by_hand};
use super::names::HostLabels;
use super::object::Object;
use super::style::HEADING;
use super::{Report, preview::PreviewReport};

/// The difference between the policy and the kernel.
#[derive(Debug, Serialize)]
pub struct Difference<'a> {
    has_changes: bool,
    /// What the changes mean. `None`: only the changes are of interest.
    #[serde(flatten)]
    preview: Option<PreviewReport>,
    #[serde(flatten)]
    counts: Counts,
    generation: u32,
    changes: Vec<ChangeReport<'a>>,
    /// What is allowed and denied by hand; `None` if nothing is.
    pub by_hand: Option<GrantCounts>,
    #[serde(serialize_with = "translations")]
    foreign_translations: &'a [ForeignTranslations],
    /// Warnings for the operator.
    pub warnings: Vec<String>,
    #[serde(skip)]
    verbose: bool,
}

impl<'a> Difference<'a> {
    /// What a plan would change. With `verbose`, lines have handles and origins, and every element
    /// is listed.
    pub fn new(plan: &'a Plan, verbose: bool) -> Difference<'a> {
        Difference {
            has_changes: !plan.is_empty(),
            preview: None,
            counts: Counts::of(plan),
            generation: plan.generation,
            changes: ChangeReport::list(&plan.changes),
            by_hand: None,
            foreign_translations: &plan.foreign_translations,
            warnings: Vec::new(),
            verbose,
        }
    }

    /// What an apply would change, and what that means for sources, ports and flows.
    pub fn preview(preview: &'a Preview, verbose: bool) -> Difference<'a> {
        let report = PreviewReport {
            access: AccessReport::new(&preview.outcome, Tense::Planned, verbose),
            flows: preview.conntrack.as_ref().ok().copied().into(),
            uncovered_ports: preview.uncovered.clone(),
        };
        Difference { preview: Some(report), ..Difference::new(&preview.outcome.plan, verbose) }
    }

    /// Adds the host names of the policy to the sources that they stand for.
    pub fn set_names(&mut self, names: HostLabels) {
        if let Some(preview) = &mut self.preview {
            preview.access.names = names;
        }
    }

    /// The changes.
    pub fn changes(&self) -> &[ChangeReport<'a>] {
        &self.changes
    }

    /// The tables, chains and sets that change, in nft's notation.
    pub fn objects(&self) -> Vec<String> {
        self.groups().into_iter().map(|group| group.object.to_string()).collect()
    }

    /// Writes the changes, without the summary.
    pub fn write_changes(&self, out: &mut dyn Write) -> io::Result<()> {
        for group in self.groups() {
            write!(out, "{HEADING}{}{HEADING:#}", group.object)?;
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

    /// The changes by table, chain or set, in the order of their first changes. There are few
    /// groups, and the changes of one are mostly adjacent.
    fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group> = Vec::new();
        for change in &self.changes {
            let object = change.object();
            match groups.iter_mut().rev().find(|group| group.object == object) {
                Some(group) => group.changes.push(change),
                None => groups.push(Group { object, changes: vec![change] }),
            }
        }
        groups
    }
}

/// The changes of a table, chain or set.
struct Group<'a> {
    object: Object<'a>,
    changes: Vec<&'a ChangeReport<'a>>,
}

impl Report for Difference<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(preview) = &self.preview {
            preview.write(out)?;
        }
        if self.verbose {
            self.write_changes(out)?;
        }
        let Difference { counts, generation, .. } = self;
        if self.has_changes {
            let changes = counts.changes("to add", "to remove");
            let hint = if self.verbose { "" } else { "; -v lists them" };
            writeln!(out, "kernel: {changes} (generation {generation}{hint})")?;
        } else {
            writeln!(out, "up to date: {} (generation {generation})", counts.unchanged())?;
        }
        write_by_hand(out, self.by_hand.as_ref())?;
        write_left_out(out, self.foreign_translations)
    }
}

fn translations<S: Serializer>(
    translations: &&[ForeignTranslations],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    foreign_translations::serialize(translations, serializer)
}

#[cfg(test)]
mod tests {
    use dwnl::model::{BaseChain, Family, IpVersion, Position, RuleContent, SetKind};
    use dwnl::plan::Change;

    use super::super::test_support::{
        HOSTS, allow, hosts, json, jump, local, lookup, origin, own_path, path, plain, set_path,
        text,
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

    /// The changes as a line each, and then the summary.
    fn lines(plan: &Plan) -> String {
        let difference = Difference::new(plan, false);
        plain(|out| difference.write_changes(out)) + &text(&difference)
    }

    #[test]
    fn changes_are_grouped_by_chain() {
        assert_eq!(
            lines(&plan()),
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
kernel: 2 rules to add, 3 to remove, 4 unchanged (generation 16; -v lists them)
"
        );
    }

    #[test]
    fn verbose_lines_have_handles_and_origins() {
        let verbose = text(&Difference::new(&plan(), true));
        let remarks: Vec<&str> =
            verbose.lines().filter_map(|line| Some(line.split_once("  # ")?.1)).collect();
        assert_eq!(remarks, ["before handle 4", "entry `web` (p.toml:12:1)", "handle 9"]);
    }

    #[test]
    fn an_empty_plan_is_up_to_date() {
        let plan = Plan { generation: 16, changes: Vec::new(), unchanged: 43, ..Plan::default() };
        let difference = Difference::new(&plan, false);
        assert_eq!(text(&difference), "up to date: 43 rules (generation 16)\n");
        assert_eq!(
            json(&difference),
            concat!(
                r#"{"has_changes":false,"rules_added":0,"rules_removed":0,"rules_unchanged":43,"#,
                r#""elements_added":0,"elements_removed":0,"elements_unchanged":0,"#,
                r#""generation":16,"changes":[],"by_hand":null,"foreign_translations":[],"warnings":[]}"#
            )
        );
    }

    #[test]
    fn changes_are_objects_in_json() {
        let json = json(&Difference::new(&plan(), false));
        for part in [
            r#"{"has_changes":true,"rules_added":2,"rules_removed":3,"rules_unchanged":4,"#,
            r#""generation":16,"changes":[{"op":"add_table","family":"ip","table":"nat"}"#,
            concat!(
                r#"{"op":"add_chain","family":"ip","table":"nat","chain":"PREROUTING","#,
                r#""base_chain":{"type":"nat","hook":"prerouting","priority":-100}}"#
            ),
            concat!(
                r#"{"op":"add_rule","family":"ip","table":"nat","chain":"DOCKER-BLOCK","#,
                r#""rule":"-s 192.0.2.7/32 -p tcp -m tcp --dport 443 -j DOCKER","#,
                r#""before_handle":null,"origin":{"entry":"web","#,
                r#""entry_location":{"file":"p.toml","line":12,"column":1},"#,
                r#""containers":[],"group":null,"source_name":null,"#,
                r#""source_location":null}}"#
            ),
            r#""rule":"-m addrtype --dst-type LOCAL -j DOCKER-BLOCK","before_handle":4,"origin":null}"#,
            r#""rule":"-s 192.0.2.9/32 -p tcp -m tcp --dport 80 -j DOCKER","handle":9}"#,
            concat!(
                r#"{"op":"delete_rule","family":"ip6","table":"nat","chain":"DOCKER-BLOCK","#,
                r#""rule":"[meta mark 1]","handle":null}"#
            ),
            r#"{"op":"delete_chain","family":"ip6","table":"nat","chain":"DOCKER-BLOCK"}],"#,
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
        Plan {
            generation: 16,
            changes,
            unchanged: 1_234,
            unchanged_elements: 1_230,
            ..Plan::default()
        }
    }

    #[test]
    fn few_elements_are_listed() {
        assert_eq!(
            lines(&set_plan()),
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
kernel: 1 rule to add, 0 to remove, 4 unchanged; set elements: 26 to add, 16 to remove, 1,230 unchanged (generation 16; -v lists them)
"
        );
    }

    #[test]
    fn a_verbose_plan_lists_all_elements() {
        let verbose = text(&Difference::new(&set_plan(), true));
        let lines: Vec<&str> = verbose.lines().skip(1).take(11).collect();
        assert_eq!(lines[0], "+ 203.0.113.0  # group `cdn`");
        assert_eq!(lines[10], "+ 203.0.113.10  # group `cdn`");
    }

    #[test]
    fn a_dynamic_set_has_no_elements_of_dwnl() {
        let changes = vec![Change::AddSet(set_path("docker-tcp"), SetKind::DynamicPorts)];
        let plan = Plan { generation: 16, changes, unchanged: 43, ..Plan::default() };
        assert_eq!(
            lines(&plan),
            "\
inet dwnl docker-tcp (new set: type inet_service; size 65535; flags dynamic,timeout)
kernel: 0 rules to add, 0 to remove, 43 unchanged (generation 16; -v lists them)
"
        );
    }

    #[test]
    fn elements_are_arrays_in_json() {
        let json = json(&Difference::new(&set_plan(), false));
        for part in [
            concat!(
                r#"{"op":"add_set","family":"inet","table":"dwnl","set":"cdn-4","#,
                r#""definition":"type ipv4_addr; size 1024"}"#
            ),
            concat!(
                r#"{"op":"delete_elements","family":"inet","table":"dwnl","set":"edge-4","#,
                r#""element_count":1,"elements":["203.0.113.0"]}"#
            ),
            concat!(
                r#"{"op":"add_elements","family":"inet","table":"dwnl","set":"edge-4","#,
                r#""description":"group `cdn`","element_count":2,"#,
                r#""elements":["203.0.113.0","203.0.113.1"]}"#
            ),
            concat!(
                r#"{"op":"flush_set","family":"inet","table":"dwnl","set":"vpn-4","#,
                r#""element_count":11}"#
            ),
            r#"{"op":"delete_set","family":"inet","table":"dwnl","set":"old-6","element_count":2}"#,
        ] {
            assert!(json.contains(part), "{part}\nis not in\n{json}");
        }
    }
}
