//! The grammar of published ports: `443`, `443/udp`, `8000-8100/tcp`.

use std::str::FromStr;

use super::meant::{self, Meant};
use crate::model::{Ports, Protocol};
use crate::policy::ParseError;
use crate::policy::diag::{Issue, Quoted};

const EXPECTED: &str = "a port is a number from 1 to 65535";
const EXAMPLES: &str = "write a port such as \"443/tcp\" or a range such as \"8000-8100/tcp\"";

/// As a policy writes ports: without a protocol they are TCP, as with `docker run -p`.
impl FromStr for Ports {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Ports, ParseError> {
        Ok(parse(text)?)
    }
}

/// `tcp`, `udp` or `sctp`.
impl FromStr for Protocol {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Protocol, ParseError> {
        Ok(protocol(text)?)
    }
}

/// Reads a port or a range of ports.
pub(super) fn parse(text: &str) -> Result<Ports, Issue> {
    strict(text).map_err(|issue| issue.suggest(meant(text)))
}

/// The ports that an invalid text was probably meant as.
fn meant(text: &str) -> Option<Meant> {
    meant::port(text, &|text| strict(text).is_ok())
}

/// The valid ports that a text stands for: itself, or those that it was probably meant as.
pub(super) fn values(text: &str) -> Option<Vec<String>> {
    Meant::values_of(strict(text), || meant(text))
}

/// The grammar, with general help.
fn strict(text: &str) -> Result<Ports, Issue> {
    if text.contains(char::is_whitespace) {
        return Err(Issue::new(format!("{} contains whitespace", Quoted(text))).help(EXAMPLES));
    }
    if text.starts_with('!') {
        return Err(Issue::new(format!("{} excludes a port", Quoted(text)))
            .help("list the ports that are allowed; all others stay blocked"));
    }
    let (numbers, name) = text.split_once('/').unwrap_or((text, Protocol::Tcp.name()));
    let is_number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    if numbers.contains("->") || numbers.rsplit_once(':').is_some_and(|(_, port)| is_number(port)) {
        return Err(Issue::new(format!("{} is a port mapping", Quoted(text)))
            .help("write only the published port, such as \"8080/tcp\""));
    }
    let protocol = protocol(name)?;
    let (first, last) = match numbers.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(numbers)?, port(numbers)?),
    };
    Ports::new(protocol, first, last).map_err(|error| Issue::new(error.to_string()).help(EXPECTED))
}

fn protocol(name: &str) -> Result<Protocol, Issue> {
    let known = Protocol::ALL.into_iter().find(|protocol| protocol.name() == name);
    known.ok_or_else(|| {
        let issue = match name {
            "" => Issue::new("missing protocol"),
            _ => Issue::new(format!("unknown protocol {}", Quoted(name))),
        };
        issue.help("Docker publishes only tcp, udp and sctp ports")
    })
}

fn port(text: &str) -> Result<u16, Issue> {
    if text.is_empty() {
        return Err(Issue::new("missing port number").help(EXAMPLES));
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Issue::new(format!("{} is not a port number", Quoted(text))).help(EXPECTED));
    }
    match text.parse::<u16>() {
        Ok(port) if port > 0 && text.starts_with('0') => {
            Err(Issue::new(format!("port {} has leading zeros", Quoted(text))).help(EXPECTED))
        }
        Ok(port) => Ok(port),
        Err(_) => Err(Issue::new(format!("port {} is out of range", Quoted(text))).help(EXPECTED)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_without_protocol_is_tcp() {
        assert_eq!(parse("443"), Ok(Ports::single(Protocol::Tcp, 443).expect("a port")));
        assert_eq!(parse("1-65535/sctp").map(|ports| ports.to_string()), Ok("1-65535/sctp".into()));
        assert_eq!(parse("7-7/udp").map(|ports| ports.to_string()), Ok("7/udp".into()));
    }

    fn help(text: &str) -> String {
        parse(text).expect_err("not a port").help.unwrap_or_default()
    }

    #[test]
    fn other_forms_are_understood() {
        let cases = [
            ("8080->80/tcp", "8080/tcp"),
            ("0.0.0.0:8080->80/udp", "8080/udp"),
            (":::8080-8081->80-81/tcp", "8080-8081/tcp"),
            ("80/udp -> 0.0.0.0:8080", "8080/udp"),
            ("127.0.0.1:8080:80", "8080/tcp"),
            ("[::1]:8080:80/sctp", "8080/sctp"),
            ("127.0.0.1:8080", "8080/tcp"),
            ("443tcp", "443/tcp"),
            ("tcp/443", "443/tcp"),
            ("udp:53", "53/udp"),
            ("443:udp", "443/udp"),
            ("443 udp", "443/udp"),
            ("00443/UPD", "443/udp"),
            ("8100..8000", "8000-8100/tcp"),
            ("8000 – 8100 / tcp", "8000-8100/tcp"),
            ("*/udp", "1-65535/udp"),
            ("'443'", "443/tcp"),
        ];
        for (text, expected) in cases {
            assert!(
                help(text).starts_with(&format!("write `{expected}`")),
                "{text}: {}",
                help(text)
            );
        }
    }

    #[test]
    fn lists_are_taken_apart() {
        let cases = [
            ("80,443", "`80/tcp`, `443/tcp`"),
            ("80, 443/udp", "`80/udp`, `443/udp`"),
            ("80/tcp 443/udp", "`80/tcp`, `443/udp`"),
            ("443/tcp+udp", "`443/tcp`, `443/udp`"),
            ("443/any", "`443/tcp`, `443/udp`"),
            ("443 80", "`443/tcp`, `80/tcp`"),
            ("*", "`1-65535/tcp`, `1-65535/udp`"),
        ];
        for (text, expected) in cases {
            assert_eq!(help(text), format!("list each separately: {expected}"), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_guessed_gets_general_help() {
        for text in ["8080:80/tpx", ":80", "0/tpc", "70000/TCP", "imap", "", "!443", "x->y", "1,x"]
        {
            let help = help(text);
            assert!(
                !help.starts_with("write `") && !help.starts_with("list each"),
                "{text}: {help}"
            );
        }
    }
}
