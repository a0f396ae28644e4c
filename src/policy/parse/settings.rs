//! The `[guard]`, `[revoke]` and `[log]` tables.

use toml::de::DeTable;

use super::document::{Document, Strings, Value};
use super::group::Groups;
use crate::model::LogTarget;
use crate::policy::diag::{Issue, Quoted, suggest};
use crate::policy::{
    DirectRouting, Established, Guard, GuardBuilder, Log, Mark, PolicyError, Revoke, cgroup,
};

/// The keys that only the guard uses.
const GUARD_ONLY_KEYS: [&str; 5] =
    ["host-network", "direct-routing", "docker-cgroup", "host-cgroups", "swarm-peers"];

const GUARD_KEYS: [&str; 7] = [
    "enabled",
    "mark",
    "host-network",
    "direct-routing",
    "docker-cgroup",
    "host-cgroups",
    "swarm-peers",
];

/// Reads the `[guard]` table. `None` if there is an error in it.
pub(in crate::policy) fn guard(
    document: &mut Document,
    table: &DeTable,
    groups: &Groups,
) -> Option<Guard> {
    let before = document.errors.len();
    document.check_keys(table, " in `[guard]`", &GUARD_KEYS);
    let mut guard = Guard::builder();
    let enabled = table.get("enabled").and_then(|value| document.boolean("enabled", value));
    guard = set(guard, enabled, GuardBuilder::enabled);
    let mark = table.get("mark").and_then(|value| mark(document, value));
    guard = set(guard, mark, GuardBuilder::mark);
    let network = table.get("host-network");
    let network = network.and_then(|value| document.boolean("host-network", value));
    guard = set(guard, network, GuardBuilder::host_network);
    let routing = table.get("direct-routing").and_then(|value| direct_routing(document, value));
    guard = set(guard, routing, GuardBuilder::direct_routing);
    let docker = table.get("docker-cgroup").and_then(|value| docker_cgroup(document, value));
    guard = set(guard, docker, GuardBuilder::docker_cgroup);
    let host = table.get("host-cgroups").and_then(|value| host_cgroups(document, value));
    guard = set(guard, host, GuardBuilder::host_cgroups);
    let peers = table.get("swarm-peers").and_then(|value| {
        groups.named_by(document, "swarm-peers", value, PolicyError::EmptySwarmPeers)
    });
    guard = set(guard, peers, GuardBuilder::swarm_peers);
    if enabled == Some(false) {
        check_unused(document, table);
    }
    // The errors of single keys were reported above.
    guard.build().ok().filter(|_| document.errors.len() == before)
}

fn set<T>(
    guard: GuardBuilder,
    value: Option<T>,
    set: impl FnOnce(GuardBuilder, T) -> GuardBuilder,
) -> GuardBuilder {
    match value {
        Some(value) => set(guard, value),
        None => guard,
    }
}

/// Reports the keys that have no effect, because only the guard uses them.
fn check_unused(document: &mut Document, table: &DeTable) {
    for key in GUARD_ONLY_KEYS {
        if let Some(value) = table.get(key) {
            document.error(value.span(), PolicyError::NeedsGuard(key));
        }
    }
}

fn direct_routing(document: &mut Document, value: &Value) -> Option<DirectRouting> {
    let known = [("drop", DirectRouting::Drop), ("allowed", DirectRouting::Allowed)];
    one_of(document, "direct-routing", value, &known)
}

fn docker_cgroup<'v>(document: &mut Document, value: &'v Value) -> Option<&'v str> {
    let text = document.string(value, "docker-cgroup", "system.slice/docker.service")?;
    document.check(cgroup::path(text), value.span()).map(|_| text)
}

fn host_cgroups<'v>(document: &mut Document, value: &'v Value) -> Option<Vec<&'v str>> {
    let meant = |text: &str| cgroup::top_level(text).ok().map(|_| vec![text.to_owned()]);
    let expected = Strings { key: "host-cgroups", example: "machine.slice", meant: &meant };
    let strings = document.strings(value, &expected)?;
    let help = "write the name of a slice or scope, such as \"machine.slice\"";
    let name = |text| cgroup::top_level(text).map_err(|error| Issue::from(error).help(help));
    let mut check = |(text, span)| document.check(name(text), span).map(|_| text);
    Some(strings.into_iter().filter_map(&mut check).collect())
}

fn mark(document: &mut Document, value: &Value) -> Option<Mark> {
    let Some(integer) = value.get_ref().as_integer() else {
        let help = format!("write `mark = {}`", Mark::DEFAULT);
        document.wrong_type(value, "an integer", help);
        return None;
    };
    let number = i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX);
    let mark = match u32::try_from(number) {
        Ok(number) => Mark::new(number).map_err(Issue::from),
        Err(_) => Err(Issue::new("the mark does not fit in 32 bits")
            .help("set exactly one bit, from 0x1 to 0x80000000")),
    };
    document.check(mark, value.span())
}

/// Reads the `[revoke]` table.
pub(in crate::policy) fn revoke(document: &mut Document, table: &DeTable) -> Revoke {
    document.check_keys(table, " in `[revoke]`", &["established"]);
    let established = table.get("established").and_then(|value| established(document, value));
    Revoke::default().with_established(established.unwrap_or_default())
}

fn established(document: &mut Document, value: &Value) -> Option<Established> {
    let known = [("keep", Established::Keep), ("cut", Established::Cut)];
    one_of(document, "established", value, &known)
}

/// Reads the `[log]` table. `guard` is the guard of the policy, if it has no errors.
pub(in crate::policy) fn log(
    document: &mut Document,
    table: &DeTable,
    guard: Option<&Guard>,
) -> Log {
    document.check_keys(table, " in `[log]`", &["refused"]);
    let Some(value) = table.get("refused") else { return Log::default() };
    let target = document.string(value, "refused", "kernel");
    let target = target.and_then(|text| document.check(log_target(text), value.span()));
    if target.is_some() && guard.is_some_and(|guard| !guard.is_enabled()) {
        document.error(value.span(), PolicyError::NeedsGuard("refused"));
        return Log::default();
    }
    Log::default().with_refused(target)
}

/// `kernel`, `nflog:5`
fn log_target(text: &str) -> Result<LogTarget, Issue> {
    let group = |number: &str| number.parse().ok().filter(|_| !number.starts_with('+'));
    match text.strip_prefix("nflog:").map(group) {
        None if text == "kernel" => Ok(LogTarget::Kernel),
        Some(Some(group)) => Ok(LogTarget::Nflog(group)),
        Some(None) => Err(Issue::new(format!("{} has no valid group", Quoted(text)))
            .help("write the number of a group from 0 to 65535, as in `nflog:5`")),
        None => Err(Issue::new(format!("{} is not a place to log to", Quoted(text)))
            .help("use `kernel`, or `nflog:5` with the number of an NFLOG group")),
    }
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
        let issue = Issue::new(format!("{} is neither `{first}` nor `{second}`", Quoted(word)));
        let issue = match suggest(word, [*first, *second]) {
            Some(near) => issue.help(format!("did you mean `{near}`?")),
            None => issue.help(format!("use `{first}` or `{second}`")),
        };
        document.error(value.span(), issue);
    }
    found
}
