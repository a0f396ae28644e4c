//! What the policy has to do with a grant: an entry may stand for its ports, and one that denies beats it.

use dwnl::Policy;
use dwnl::model::{Grant, Ports};
use dwnl::policy::{Deny, Source};

use super::ports_of;

/// The ports that the words stand for; `load` reads the policy with the entries.
///
/// # Errors
/// If a word is neither ports nor an entry, or those of `load`.
pub fn ports_or_entries(
    words: &[String],
    load: impl Fn() -> anyhow::Result<Policy>,
) -> anyhow::Result<Vec<Ports>> {
    let mut ports = Vec::new();
    let mut policy = None;
    for word in words {
        match ports_of(word) {
            Ok(found) => ports.extend(found),
            // What has a digit first and a protocol is no name.
            Err(error) if word.starts_with(|c: char| c.is_ascii_digit()) => {
                anyhow::bail!("`{word}`: {error}")
            }
            Err(_) => {
                let policy = match &policy {
                    Some(policy) => policy,
                    None => policy.insert(load()?),
                };
                ports.extend(of_entry(policy, word)?);
            }
        }
    }
    Ok(ports)
}

fn of_entry(policy: &Policy, name: &str) -> anyhow::Result<Vec<Ports>> {
    let entry = policy.allow().iter().find(|entry| entry.name().is_some_and(|it| &**it == name));
    let Some(entry) = entry else {
        anyhow::bail!("`{name}` is neither a port nor the name of an entry of the policy");
    };
    if entry.in_interface().is_some() || !entry.to().is_empty() {
        anyhow::bail!(
            "entry `{name}` is limited by `in-interface` or `to`, which a grant by hand cannot be; \
             name its ports to let the source in at them from everywhere"
        );
    }
    Ok(entry.ports().to_vec())
}

/// Warnings about entries of the policy that deny what is granted.
pub fn denials(grants: &[Grant], policy: &Policy) -> Vec<String> {
    let pairs = policy.deny().iter().flat_map(|entry| grants.iter().map(move |it| (entry, it)));
    let denied = pairs.filter(|(entry, grant)| denies(entry, grant));
    denied.map(|(entry, grant)| sentence(entry, grant)).collect()
}

fn sentence(entry: &Deny, grant: &Grant) -> String {
    let name = match entry.name() {
        Some(name) => format!("entry `{name}`"),
        None => "an entry".to_owned(),
    };
    let at = entry.at().map(|at| format!(" ({at})")).unwrap_or_default();
    let ports = grant.ports.map(|ports| format!(" {ports}")).unwrap_or_default();
    format!(
        "{name} of the policy{at} denies {}{ports}, which a grant does not change",
        grant.source
    )
}

/// Whether the entry denies a part of what is granted, by some interface and to some address.
fn denies(entry: &Deny, grant: &Grant) -> bool {
    let is_port = |ports: &Ports| {
        let of_entry = Grant { ports: Some(*ports), ..grant.clone() };
        grant.overlaps(&of_entry)
    };
    let is_source = |source: &Source| {
        let of_entry = Grant { source: source.addresses(), ..grant.clone() };
        grant.overlaps(&of_entry)
    };
    let groups = entry.sources();
    entry.ports().iter().any(is_port)
        && groups.is_none_or(|groups| groups.iter().flat_map(|it| it.sources()).any(is_source))
}
