//! The grammar of interfaces, which is that of iptables' `-i`: `eth1`, `eth+`, `!docker0`.

use crate::model::Interface;
use crate::policy::diag::{Issue, Quoted};

/// Reads an interface condition.
pub(super) fn parse(text: &str) -> Result<Interface, Issue> {
    if text.contains(char::is_whitespace) {
        return Err(Issue::new(format!("{} contains whitespace", Quoted(text)))
            .help("write one name, such as \"eth1\", \"eth+\" or \"!docker0\""));
    }
    Ok(text.parse()?)
}
