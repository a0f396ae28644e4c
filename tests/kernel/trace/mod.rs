//! `dwnl trace` shows what real packets meet in the kernel.

mod bridge;
mod coexistence;
mod ending;
mod fates;
mod limits;
mod site;
mod text;
mod words;

use serde_json::Value;

/// The base chains of a packet with their verdicts: `prerouting ip nat PREROUTING accept`.
fn chains(packet: &Value) -> Vec<String> {
    let chains = packet["chains"].as_array().expect("chains").iter();
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let words = |chain: &Value| {
        ["hook", "family", "table", "chain", "verdict"].map(|key| word(&chain[key])).join(" ")
    };
    chains.map(words).collect()
}
