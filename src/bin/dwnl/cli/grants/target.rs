//! What `allow` may be told in place of ports: the name of an entry of the policy.

use dwnl::Policy;
use dwnl::model::Ports;
use dwnl::policy::LoadedPolicy;

use super::super::args::PolicyFile;
use super::line::ports_of;

/// The ports that the words stand for.
///
/// # Errors
/// If a word is neither ports nor an entry, or if the policy has errors.
pub fn ports(words: &[String], file: &PolicyFile) -> anyhow::Result<Vec<Ports>> {
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
                    None => policy.insert(load(file)?),
                };
                ports.extend(of_entry(policy, word)?);
            }
        }
    }
    Ok(ports)
}

fn load(file: &PolicyFile) -> anyhow::Result<Policy> {
    Ok(LoadedPolicy::load_from(file.path(), file.base_directory()).policy?)
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
