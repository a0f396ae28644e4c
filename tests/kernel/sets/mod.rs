//! Groups that are large enough for sets in `table inet dwnl`.

mod cache;
mod difference;
mod divided;
mod dynamic;
mod reloads;
mod repair;
mod times;
mod tools;

use serde_json::Value;

use super::UNGUARDED;
use super::support::{saved, state, state_of};

/// Number of sources of one family from which a set is used.
const LARGE: usize = 64;

/// IPv4 addresses, no two of which are adjacent.
pub fn hosts(number: usize) -> Vec<String> {
    hosts_in(0, number)
}

/// IPv4 addresses of one of 8 disjoint blocks.
pub fn hosts_in(block: usize, number: usize) -> Vec<String> {
    let host =
        |n: usize| format!("10.{}.{}.{}", block * 32 + n / 32_768, n / 128 % 256, n % 128 * 2);
    (0..number).map(host).collect()
}

/// Allows the group `many`, without the guard, which has its own tests.
fn policy(sources: &[String]) -> String {
    format!(
        "{UNGUARDED}{}\n[[allow]]\nname = \"web\"\nports = [\"443/tcp\"]\nfrom = [\"many\"]\n",
        group(sources)
    )
}

fn group(sources: &[String]) -> String {
    format!("[sources]\nmany = {sources:?}\n")
}

/// The names of the sets, with their numbers of elements.
fn sets(state: &[Value]) -> Vec<(String, usize)> {
    let sets = state.iter().filter_map(|object| object.get("set"));
    let size = |set: &Value| set["elem"].as_array().map_or(0, Vec::len);
    sets.map(|set| (set["name"].as_str().unwrap_or_default().to_owned(), size(set))).collect()
}
