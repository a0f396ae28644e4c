//! What is to be allowed, denied or revoked: the words of a command line, or of a line of a stream.

use std::time::Duration;

use dwnl::model::{AddressSpec, Grant, GrantAction, Name, Ports};

use super::duration;

/// A source with ports. No ports: every port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The source.
    pub source: AddressSpec,
    /// The ports.
    pub ports: Vec<Ports>,
    /// How long, if it says so itself.
    pub duration: Option<Duration>,
}

impl Target {
    /// The target of a line of a stream: `SOURCE [PORTS] [DURATION]`.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub fn of_line(line: &str) -> Result<Target, String> {
        let mut words = line.split_ascii_whitespace();
        let source = words.next().ok_or("it is empty")?;
        let mut target = Target { source: source_of(source)?, ports: Vec::new(), duration: None };
        let mut rest: Vec<&str> = words.collect();
        // A number alone is a port.
        let last = rest.last().filter(|word| ports_of(word).is_err());
        if let Some(duration) = last.and_then(|word| duration(word).ok()) {
            target.duration = Some(duration);
            rest.pop();
        }
        for word in rest {
            target.ports.extend(ports_of(word)?);
        }
        Ok(target)
    }

    /// The grants or bans for the target.
    pub fn grants(
        &self,
        action: GrantAction,
        duration: Option<Duration>,
        note: Option<&Name>,
    ) -> Vec<Grant> {
        let remaining = self.duration.or(duration);
        let grant =
            |ports| Grant { action, source: self.source, ports, remaining, note: note.cloned() };
        match self.ports[..] {
            [] => vec![grant(None)],
            _ => self.ports.iter().map(|ports| grant(Some(*ports))).collect(),
        }
    }

    /// The source with each of its ports, or with `None` for every port.
    pub fn places(&self) -> Vec<(AddressSpec, Option<Ports>)> {
        match self.ports[..] {
            [] => vec![(self.source, None)],
            _ => self.ports.iter().map(|ports| (self.source, Some(*ports))).collect(),
        }
    }
}

/// A source.
///
/// # Errors
/// What is wrong with it.
pub fn source_of(text: &str) -> Result<AddressSpec, String> {
    text.parse().map_err(|error: dwnl::policy::ParseError| error.to_string())
}

/// Ports, separated by commas.
///
/// # Errors
/// What is wrong with them.
pub fn ports_of(text: &str) -> Result<Vec<Ports>, String> {
    let ports =
        |text: &str| text.parse().map_err(|error: dwnl::policy::ParseError| error.to_string());
    text.split(',').map(ports).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_source_and_perhaps_ports_and_a_time() {
        let words = |line: &str| {
            let target = Target::of_line(line)?;
            let ports: Vec<String> = target.ports.iter().map(ToString::to_string).collect();
            Ok::<_, String>((target.source.to_string(), ports.join(" "), target.duration))
        };
        let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
        for (line, source, ports, duration) in [
            ("192.0.2.7", "192.0.2.7", "", None),
            (" 192.0.2.7\t10m ", "192.0.2.7", "", minutes(10)),
            ("2001:db8::/32 443", "2001:db8::/32", "443/tcp", None),
            ("192.0.2.7 443,53/udp 22 1h", "192.0.2.7", "443/tcp 53/udp 22/tcp", minutes(60)),
        ] {
            assert_eq!(words(line), Ok((source.to_owned(), ports.to_owned(), duration)), "{line}");
        }
        for line in ["", "example.net", "192.0.2.7 10m 443", "192.0.2.7/24", "192.0.2.7 0s"] {
            assert!(words(line).is_err(), "{line}");
        }
    }
}
