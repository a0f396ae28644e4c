//! What `dwnl explain` says of a situation.

use serde_json::Value;

use super::situation::{Parts, Site, Situation};
use super::support::dwnl;

/// Whether the packet gets in, and why; `None`: it cannot tell. The reason is the receiver (`forwarded`), or what refuses the packet: the chain
/// (`dropped: ip filter DOCKER-USER`) or else the kind of the refusal; and why that is not what the
/// policy says.
pub fn explain(site: &Site, situation: &Situation) -> (Option<bool>, String) {
    let Parts { source, destination, port, protocol, interface } = situation.parts();
    let port = format!("{port}/{protocol}");
    let mut args = vec!["explain", "--json", "-f", "-", source, destination, &port];
    args.extend(interface.iter().flat_map(|interface| ["--in-interface", interface]));
    let output = dwnl(site.host(), &args, &situation.policy);
    let report: Value = serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("{}: {error}: {output}", situation.name));
    let text = |key: &str| report[key].as_str().map(str::to_owned);
    let verdict = text("verdict").expect("a verdict");
    let status = match verdict.as_str() {
        "allowed" => 0,
        "refused" => 3,
        _ => 4,
    };
    assert_eq!(output.status.code(), Some(status), "{output}");
    let mut why = match verdict.as_str() {
        "allowed" => report["receiver"]["kind"].as_str().expect("a receiver").to_owned(),
        "refused" => text("refusal").expect("a refusal"),
        _ => "unknown".to_owned(),
    };
    let step = report["refusing_step"].as_u64().map(|step| &report["steps"][step as usize]);
    if let Some(rule) = step.or(report["doubt"].is_object().then_some(&report["doubt"])) {
        let part = |key: &str| rule[key].as_str().expect("a chain").to_owned();
        why = format!("{why}: {} {} {}", part("family"), part("table"), part("chain"));
    }
    if let Some(contradiction) = text("contradiction") {
        why = format!("{why} ({contradiction})");
    }
    ((verdict != "unknown").then_some(verdict == "allowed"), why)
}
