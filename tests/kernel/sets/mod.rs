//! Groups that are large enough to be looked up in sets of `table inet dwnl`.

mod difference;
mod memory;
mod reloads;
mod repair;
mod tools;

use serde_json::Value;

use super::UNGUARDED;
use super::support::Namespace;

/// So many sources of one family become a set; one less does not.
const LARGE: usize = 64;

/// Addresses of one family, none of which lies beside another.
pub fn hosts(number: usize) -> Vec<String> {
    hosts_in(0, number)
}

/// Addresses of one of 8 blocks that have none in common.
pub fn hosts_in(block: usize, number: usize) -> Vec<String> {
    let host =
        |n: usize| format!("10.{}.{}.{}", block * 32 + n / 32_768, n / 128 % 256, n % 128 * 2);
    (0..number).map(host).collect()
}

/// Lets the group `many` in, without the guard: it has tests of its own.
fn policy(sources: &[String]) -> String {
    format!(
        "{UNGUARDED}{}\n[[allow]]\nname = \"web\"\nports = [\"443/tcp\"]\nfrom = [\"many\"]\n",
        group(sources)
    )
}

fn group(sources: &[String]) -> String {
    format!("[sources]\nmany = {sources:?}\n")
}

/// The whole ruleset as values: without handles, and in an order of its own where the kernel has
/// none.
fn state(namespace: &Namespace) -> Vec<Value> {
    state_of(namespace, &["ruleset"])
}

/// One object of the ruleset with all that is in it.
pub fn state_of(namespace: &Namespace, object: &[&str]) -> Vec<Value> {
    let text = namespace.run(&[&["nft", "--json", "list"], object].concat());
    let listing: Value = serde_json::from_str(&text).expect("JSON from nft");
    let objects = listing["nftables"].as_array().cloned().expect("objects");
    let mut objects: Vec<Value> =
        objects.into_iter().filter(|object| object.get("metainfo").is_none()).collect();
    for object in &mut objects {
        for (_, content) in object.as_object_mut().expect("an object") {
            forget_order(content);
        }
    }
    // Stable, so that rules stay in the order of their chain.
    objects.sort_by_cached_key(place);
    objects
}

fn forget_order(content: &mut Value) {
    let content = content.as_object_mut().expect("an object");
    content.remove("handle");
    if let Some(Value::Array(elements)) = content.get_mut("elem") {
        elements.sort_by_cached_key(Value::to_string);
    }
}

/// What an object is, and where it stands.
fn place(object: &Value) -> String {
    let (kind, content) =
        object.as_object().and_then(|object| object.iter().next()).expect("one key");
    let word = |key: &str| content[key].as_str().unwrap_or_default().to_owned();
    [kind.clone(), word("family"), word("table"), word("chain"), word("name")].join(" ")
}

/// The sets of a state with their numbers of elements.
fn sets(state: &[Value]) -> Vec<(String, usize)> {
    let sets = state.iter().filter_map(|object| object.get("set"));
    let size = |set: &Value| set["elem"].as_array().map_or(0, Vec::len);
    sets.map(|set| (set["name"].as_str().unwrap_or_default().to_owned(), size(set))).collect()
}

/// What iptables saves of both families, without comments and counters.
fn saved(namespace: &Namespace) -> Vec<String> {
    let saved = ["iptables-save", "ip6tables-save"].map(|save| namespace.run(&[save, "-t", "nat"]));
    let lines = saved.iter().flat_map(|saved| saved.lines());
    let lines = lines.filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(" [").next().unwrap_or(line).to_owned()).collect()
}
