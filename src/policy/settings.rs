//! The `[guard]` and `[revoke]` tables.

use std::sync::Arc;

use toml::de::DeTable;

use super::document::{Document, Strings, Value};
use super::group::Groups;
use super::issue::{Issue, Quoted};
use super::suggest::suggest;
use super::{DirectRouting, Established, Guard, Revoke, cgroup};

const GUARD_KEYS: [&str; 7] = [
    "enabled",
    "mark",
    "host-network",
    "direct-routing",
    "docker-cgroup",
    "host-cgroups",
    "swarm-peers",
];

/// Reads the `[guard]` table.
pub(super) fn guard(document: &mut Document, table: &DeTable, groups: &Groups) -> Guard {
    document.check_keys(table, " in `[guard]`", &GUARD_KEYS);
    let default = Guard::default();
    let boolean = |document: &mut Document, key| {
        table.get(key).and_then(|value| boolean(document, key, value))
    };
    let enabled = boolean(document, "enabled");
    let mark = table.get("mark").and_then(|value| mark(document, value));
    let host_network = boolean(document, "host-network");
    let routing = table.get("direct-routing");
    let routing = routing.and_then(|value| direct_routing(document, value));
    let docker_cgroup = table.get("docker-cgroup");
    let docker_cgroup = docker_cgroup.and_then(|value| docker_cgroup_path(document, value));
    let host_cgroups = table.get("host-cgroups").and_then(|value| host_cgroups(document, value));
    let peers = table.get("swarm-peers");
    let swarm_peers = peers.map(|value| groups.named_by(document, "swarm-peers", value));
    let guard = Guard {
        enabled: enabled.unwrap_or(default.enabled),
        mark: mark.unwrap_or(default.mark),
        host_network: host_network.unwrap_or(default.host_network),
        direct_routing: routing.unwrap_or(default.direct_routing),
        docker_cgroup,
        host_cgroups: host_cgroups.unwrap_or_default(),
        swarm_peers,
    };
    check_needs(document, table, &guard);
    guard
}

/// Reports settings that say nothing, because it is the guard that would carry them out.
fn check_needs(document: &mut Document, table: &DeTable, guard: &Guard) {
    if guard.enabled {
        return;
    }
    for key in GUARD_KEYS.iter().filter(|key| !["enabled", "mark"].contains(key)) {
        if let Some(value) = table.get(*key) {
            let fault = Issue::new(format!("`{key}` needs the guard, which is switched off"));
            document.error(
                value.span(),
                fault.help(format!("remove `{key}`, or set `enabled = true`")),
            );
        }
    }
}

fn boolean(document: &mut Document, key: &str, value: &Value) -> Option<bool> {
    let boolean = value.get_ref().as_bool();
    if boolean.is_none() {
        let help = format!("write `{key} = true` or `{key} = false`");
        document.wrong_type(value, "a boolean", help);
    }
    boolean
}

fn direct_routing(document: &mut Document, value: &Value) -> Option<DirectRouting> {
    let known = [("drop", DirectRouting::Drop), ("allowed", DirectRouting::Allowed)];
    one_of(document, "direct-routing", value, &known)
}

fn docker_cgroup_path(document: &mut Document, value: &Value) -> Option<Arc<str>> {
    let text = document.string(value, "docker-cgroup", "system.slice/docker.service")?;
    match cgroup::parse(text) {
        Ok(path) => Some(path),
        Err(fault) => {
            document.error(value.span(), fault);
            None
        }
    }
}

fn host_cgroups(document: &mut Document, value: &Value) -> Option<Vec<Arc<str>>> {
    let expected = Strings { key: "host-cgroups", example: "machine.slice", suffix: "" };
    let strings = document.strings(value, &expected)?;
    let mut cgroups = Vec::with_capacity(strings.len());
    for (text, span) in strings {
        match cgroup::parse_top(text) {
            Ok(name) if !cgroups.contains(&name) => cgroups.push(name),
            Ok(_) => {}
            Err(fault) => document.error(span, fault),
        }
    }
    Some(cgroups)
}

fn mark(document: &mut Document, value: &Value) -> Option<u32> {
    let Some(integer) = value.get_ref().as_integer() else {
        let help = format!("write `mark = {:#x}`", Guard::DEFAULT_MARK);
        document.wrong_type(value, "an integer", help);
        return None;
    };
    let number = i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX);
    match u32::try_from(number) {
        Ok(mark) if mark.is_power_of_two() => Some(mark),
        Ok(mark) => {
            document.error(value.span(), not_one_bit(mark));
            None
        }
        Err(_) => {
            let fault = Issue::new("the mark does not fit in 32 bits");
            let help = "it is one bit from 0x1 to 0x80000000";
            document.error(value.span(), fault.help(help));
            None
        }
    }
}

fn not_one_bit(mark: u32) -> Issue {
    let Some(highest) = mark.checked_ilog2().map(|bit| 1u32 << bit) else {
        return Issue::new("the mark 0 has no bit set")
            .help(format!("write one bit, as in {:#x}", Guard::DEFAULT_MARK));
    };
    let fault = Issue::new(format!("the mark {mark:#x} has {} bits set", mark.count_ones()));
    match 1u32.checked_shl(mark) {
        Some(bit) => fault.help(format!("write one bit; bit number {mark} is {bit:#x}")),
        None => fault.help(format!("write one bit, as in {highest:#x}")),
    }
}

/// Reads the `[revoke]` table.
pub(super) fn revoke(document: &mut Document, table: &DeTable) -> Revoke {
    document.check_keys(table, " in `[revoke]`", &["established"]);
    let established = table.get("established").and_then(|value| established(document, value));
    Revoke { established: established.unwrap_or_default() }
}

fn established(document: &mut Document, value: &Value) -> Option<Established> {
    let known = [("keep", Established::Keep), ("cut", Established::Cut)];
    one_of(document, "established", value, &known)
}

/// The value of a key that takes one of two words.
fn one_of<T: Copy>(
    document: &mut Document,
    key: &str,
    value: &Value,
    known: &[(&'static str, T); 2],
) -> Option<T> {
    let [(first, _), (second, _)] = known;
    let word = document.string(value, key, first)?;
    let found = known.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
    if found.is_none() {
        let fault = Issue::new(format!("{} is neither `{first}` nor `{second}`", Quoted(word)));
        let fault = match suggest(word, [*first, *second]) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault.help(format!("write `{first}` or `{second}`")),
        };
        document.error(value.span(), fault);
    }
    found
}
