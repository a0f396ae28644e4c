//! The grammar of interfaces, which is that of iptables' `-i`: `eth1`, `eth+`, `!docker0`.

use super::meant::{self, Meant};
use crate::model::Interface;
use crate::policy::diag::{Issue, Quoted};

/// Reads an interface condition.
pub(super) fn parse(text: &str) -> Result<Interface, Issue> {
    strict(text).map_err(|issue| issue.suggest(meant(text)))
}

/// The condition that an invalid text was probably meant as.
fn meant(text: &str) -> Option<Meant> {
    meant::interface(text, &|text| strict(text).is_ok())
}

/// The valid conditions that a text stands for: itself, or those that it was probably meant as.
pub(super) fn values(text: &str) -> Option<Vec<String>> {
    Meant::values_of(strict(text), || meant(text))
}

/// The grammar, with general help.
fn strict(text: &str) -> Result<Interface, Issue> {
    if text.contains(char::is_whitespace) {
        return Err(Issue::new(format!("{} contains whitespace", Quoted(text)))
            .help("write one name, such as \"eth1\", \"eth+\" or \"!docker0\""));
    }
    Ok(text.parse()?)
}
