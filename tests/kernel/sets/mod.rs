//! Groups that are large enough to be looked up in sets of `table inet dwnl`.

mod difference;
mod dynamic;
mod memory;
mod reloads;
mod repair;
mod tools;

use serde_json::Value;

use super::UNGUARDED;
use super::support::{saved, state, state_of};

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

/// The sets of a state with their numbers of elements.
fn sets(state: &[Value]) -> Vec<(String, usize)> {
    let sets = state.iter().filter_map(|object| object.get("set"));
    let size = |set: &Value| set["elem"].as_array().map_or(0, Vec::len);
    sets.map(|set| (set["name"].as_str().unwrap_or_default().to_owned(), size(set))).collect()
}
