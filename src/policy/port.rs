//! The grammar of published ports: `443`, `443/udp`, `8000-8100/tcp`.

use super::issue::{Issue, Quoted};
use super::suggest::suggest;
use crate::model::{Ports, Protocol};

/// Reads a port or a range of ports; without a protocol it is TCP, as with `docker run -p`.
pub(super) fn parse(text: &str) -> Result<Ports, Issue> {
    if text.contains(char::is_whitespace) {
        let joined: String = text.split_whitespace().collect();
        return Err(Issue::new(format!("there are blanks in {}", Quoted(text)))
            .help(format!("write {}", Quoted(&joined))));
    }
    let (numbers, name) = text.split_once('/').unwrap_or((text, Protocol::Tcp.name()));
    if let Some((published, _)) = numbers.rsplit_once(':') {
        return Err(mapping(text, published));
    }
    let protocol = protocol(numbers, name)?;
    let (first, last) = match numbers.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(numbers)?, port(numbers)?),
    };
    Ports::new(protocol, first, last).ok_or_else(|| {
        Issue::new(format!("the range `{first}-{last}` is upside down"))
            .help(format!("write `{last}-{first}/{protocol}`"))
    })
}

/// Docker's form, `[[address:]published:]container`.
fn mapping(text: &str, published: &str) -> Issue {
    let published = published.rsplit(':').next().unwrap_or(published);
    let protocol = text.split_once('/').map_or(Protocol::Tcp.name(), |(_, protocol)| protocol);
    let meant = format!("{published}/{protocol}");
    Issue::new(format!("{} names more than one port", Quoted(text)))
        .help(format!("write the published port alone: {}", Quoted(&meant)))
}

fn protocol(numbers: &str, name: &str) -> Result<Protocol, Issue> {
    let names = Protocol::ALL.map(Protocol::name);
    if let Some(protocol) = Protocol::ALL.into_iter().find(|protocol| protocol.name() == name) {
        return Ok(protocol);
    }
    let fault = match name {
        "" => Issue::new("the protocol is missing"),
        _ => Issue::new(format!("unknown protocol {}", Quoted(name))),
    };
    Err(match suggest(name, names) {
        Some(near) => fault.help(format!("write {}", Quoted(&format!("{numbers}/{near}")))),
        None => fault.help(format!("Docker publishes {}", names.join(", "))),
    })
}

fn port(text: &str) -> Result<u16, Issue> {
    const EXPECTED: &str = "a port is a number from 1 to 65535";
    if text.is_empty() {
        return Err(Issue::new("a port is missing").help("write \"443/tcp\" or \"8000-8100/tcp\""));
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Issue::new(format!("{} is not a port", Quoted(text))).help(EXPECTED));
    }
    match text.parse::<u16>() {
        Ok(0) => Err(Issue::new("there is no port 0").help(EXPECTED)),
        Ok(port) if text.starts_with('0') => {
            Err(Issue::new(format!("the port {} has leading zeros", Quoted(text)))
                .help(format!("write `{port}`")))
        }
        Ok(port) => Ok(port),
        Err(_) => {
            Err(Issue::new(format!("the port {} is above 65535", Quoted(text))).help(EXPECTED))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_without_protocol_is_tcp() {
        assert_eq!(parse("443"), Ok(Ports::new(Protocol::Tcp, 443, 443).expect("a port")));
        assert_eq!(parse("1-65535/sctp").map(|ports| ports.to_string()), Ok("1-65535/sctp".into()));
        assert_eq!(parse("7-7/udp").map(|ports| ports.to_string()), Ok("7/udp".into()));
    }

    #[test]
    fn docker_mappings_are_reduced_to_the_published_port() {
        let help = |text| parse(text).expect_err("not a port").help;
        assert_eq!(help("127.0.0.1:8080:80").as_deref(), help("8080:80/tcp").as_deref());
        assert_eq!(
            help("8080:80/udp").as_deref(),
            Some("write the published port alone: `8080/udp`")
        );
    }
}
