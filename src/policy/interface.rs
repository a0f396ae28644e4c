//! The grammar of interfaces, which is that of iptables' `-i`: `eth1`, `eth+`, `!docker0`.

use super::issue::{Issue, Quoted};
use crate::model::{INTERFACE_NAME_MAX, Interface};

/// Reads an interface condition.
pub(super) fn parse(text: &str) -> Result<Interface, Issue> {
    if text.contains(char::is_whitespace) {
        return Err(Issue::new(format!("there are blanks in {}", Quoted(text)))
            .help("write one interface, as in \"eth1\", \"eth+\" or \"!docker0\""));
    }
    let (negated, pattern) = match text.strip_prefix('!') {
        Some(pattern) => (true, pattern),
        None => (false, text),
    };
    let (wildcard, name) = match pattern.strip_suffix('+') {
        Some(name) => (true, name),
        None => (false, pattern),
    };
    check_length(pattern)?;
    check_characters(pattern, name)?;
    match (name, wildcard, negated) {
        ("", false, _) => {
            Err(Issue::new("the interface is empty").help("leave it out to mean any interface"))
        }
        ("", true, false) => Err(Issue::new("`+` matches every interface")
            .help("leave `in-interface` out to mean any interface")),
        ("", true, true) => {
            Err(Issue::new("`!+` matches no interface").help("write the name of an interface"))
        }
        ("." | "..", false, _) => {
            Err(Issue::new(format!("no interface can be called {}", Quoted(name))))
        }
        _ => Ok(Interface { name: name.into(), wildcard, negated }),
    }
}

fn check_length(pattern: &str) -> Result<(), Issue> {
    if pattern.len() <= INTERFACE_NAME_MAX {
        return Ok(());
    }
    let quoted = Quoted(pattern);
    Err(Issue::new(format!("the interface {quoted} is {} bytes long", pattern.len()))
        .help(format!("the name of an interface has at most {INTERFACE_NAME_MAX} bytes")))
}

/// The kernel refuses blanks, `/` and `:` in names; the others mean something to iptables or in
/// the files of iptables-restore.
fn check_characters(pattern: &str, name: &str) -> Result<(), Issue> {
    if name.contains('+') {
        return Err(Issue::new(format!("there is a `+` within {}", Quoted(pattern)))
            .help("a `+` stands at the end, as in \"eth+\""));
    }
    let refused = |c: char| c.is_control() || "/:!\"'\\".contains(c);
    let Some(c) = name.chars().find(|c| refused(*c)) else {
        return Ok(());
    };
    let mut buffer = [0; 4];
    let quoted = Quoted(c.encode_utf8(&mut buffer));
    Err(Issue::new(format!("the name of an interface cannot contain {quoted}"))
        .help("write \"eth1\", \"eth+\" or \"!docker0\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_written_as_for_iptables() {
        let text = |text| parse(text).map(|interface| interface.to_string());
        assert_eq!(text("eth1"), Ok("-i eth1".into()));
        assert_eq!(text("eth+"), Ok("-i eth+".into()));
        assert_eq!(text("!docker0"), Ok("! -i docker0".into()));
        assert_eq!(text("!12345678901234+"), Ok("! -i 12345678901234+".into()));
        assert!(text("123456789012345+").is_err());
    }
}
