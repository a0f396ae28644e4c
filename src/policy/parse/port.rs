//! The grammar of published ports: `443`, `443/udp`, `8000-8100/tcp`.

use std::str::FromStr;

use crate::model::{Ports, PortsError, Protocol};
use crate::policy::ParseError;
use crate::policy::diag::{Issue, Quoted, suggest};

const EXPECTED: &str = "a port is a number from 1 to 65535";

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
    if text.contains(char::is_whitespace) {
        let joined: String = text.split_whitespace().collect();
        return Err(Issue::new(format!("{} contains whitespace", Quoted(text)))
            .help(format!("write {}", Quoted(&joined))));
    }
    let (numbers, name) = text.split_once('/').unwrap_or((text, Protocol::Tcp.name()));
    if let Some((published, _)) = numbers.rsplit_once(':') {
        return Err(mapping(text, published));
    }
    let protocol = protocol(name).map_err(|issue| match nearest(name) {
        Some(near) => issue.help(format!("write {}", Quoted(&format!("{numbers}/{near}")))),
        None => issue,
    })?;
    let (first, last) = match numbers.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(numbers)?, port(numbers)?),
    };
    Ports::new(protocol, first, last).map_err(|error| explain(error, protocol))
}

fn explain(error: PortsError, protocol: Protocol) -> Issue {
    let issue = Issue::new(error.to_string());
    match error {
        PortsError::Zero => issue.help(EXPECTED),
        PortsError::Reversed { first, last } => {
            issue.help(format!("write `{last}-{first}/{protocol}`"))
        }
    }
}

/// Docker's form, `[[address:]published:]container`.
fn mapping(text: &str, published: &str) -> Issue {
    let published = published.rsplit(':').next().unwrap_or(published);
    let protocol = text.split_once('/').map_or(Protocol::Tcp.name(), |(_, protocol)| protocol);
    let meant = format!("{published}/{protocol}");
    Issue::new(format!("{} is a port mapping", Quoted(text)))
        .help(format!("write only the published port: {}", Quoted(&meant)))
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

/// The protocol that was probably meant.
fn nearest(name: &str) -> Option<&'static str> {
    suggest(name, Protocol::ALL.map(Protocol::name))
}

fn port(text: &str) -> Result<u16, Issue> {
    if text.is_empty() {
        return Err(Issue::new("missing port number")
            .help("write a port such as \"443/tcp\" or a range such as \"8000-8100/tcp\""));
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Issue::new(format!("{} is not a port number", Quoted(text))).help(EXPECTED));
    }
    match text.parse::<u16>() {
        Ok(port) if port > 0 && text.starts_with('0') => {
            Err(Issue::new(format!("port {} has leading zeros", Quoted(text)))
                .help(format!("write `{port}`")))
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

    #[test]
    fn docker_mappings_are_reduced_to_the_published_port() {
        let help = |text| parse(text).expect_err("not a port").help;
        assert_eq!(help("127.0.0.1:8080:80").as_deref(), help("8080:80/tcp").as_deref());
        let expected = "write only the published port: `8080/udp`";
        assert_eq!(help("8080:80/udp").as_deref(), Some(expected));
    }
}
