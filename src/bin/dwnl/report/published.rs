//! Published ports in reports.

use std::fmt;
use std::io::{self, Write};

use dwnl::model::PublishedPort;
use serde::{Serialize, Serializer};

use super::count::{Count, Thousands};

/// Maximum number of lines about single ports, and of ports in a line about many.
const SHOWN_MAX: usize = 5;

/// [`PublishedPort`] as JSON.
#[derive(Debug, Serialize)]
pub(super) struct PublishedReport {
    ports: String,
    /// The only address on which Docker publishes the ports.
    address: Option<String>,
}

impl From<&PublishedPort> for PublishedReport {
    fn from(port: &PublishedPort) -> PublishedReport {
        PublishedReport {
            ports: port.ports.to_string(),
            address: port.address.map(|address| address.ip().to_string()),
        }
    }
}

/// `8080/tcp`, `8080/tcp on 203.0.113.5`
impl fmt::Display for PublishedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.ports)?;
        self.address.as_ref().map_or(Ok(()), |address| write!(f, " on {address}"))
    }
}

/// Serializes a list of objects.
pub(super) fn serialize_published<S: Serializer>(
    ports: &[PublishedPort],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ports.iter().map(PublishedReport::from))
}

/// Writes a line for each published port that no entry of the policy covers, or one for many.
pub(super) fn write_uncovered(out: &mut dyn Write, ports: &[PublishedPort]) -> io::Result<()> {
    if ports.len() > SHOWN_MAX {
        return writeln!(
            out,
            "blocked: Docker publishes {} that no policy entry covers: {}; dwnl status -v lists them",
            Count(count(ports), "port"),
            some_ports(ports)
        );
    }
    for published in ports {
        writeln!(out, "blocked: Docker publishes {published} but no policy entry covers it")?;
    }
    Ok(())
}

/// The first ports, and the number of the others: `8000-8099/tcp, 8103/tcp and 7,899 more`.
pub fn some_ports(ports: &[PublishedPort]) -> String {
    let (shown, others) = ports.split_at(ports.len().min(SHOWN_MAX));
    let shown: Vec<String> = shown.iter().map(ToString::to_string).collect();
    let shown = shown.join(", ");
    match count(others) {
        0 => shown,
        more => format!("{shown} and {} more", Thousands(more)),
    }
}

/// The number of ports, each one of a range counted.
fn count(ports: &[PublishedPort]) -> usize {
    ports.iter().map(|it| usize::from(it.ports.last() - it.ports.first()) + 1).sum()
}

#[cfg(test)]
mod tests {
    use dwnl::model::{Family, Ports, Protocol};

    use super::super::test_support::plain;
    use super::*;

    fn published(first: u16, last: u16) -> PublishedPort {
        let ports = Ports::new(Protocol::Tcp, first, last).expect("ports");
        PublishedPort { address: None, family: Family::Inet, ports }
    }

    #[test]
    fn many_uncovered_ports_are_one_line() {
        let mut ports: Vec<PublishedPort> =
            (0..4).map(|n| published(9000 + 2 * n, 9000 + 2 * n)).collect();
        ports.insert(0, published(8000, 8099));
        let text = plain(|out| write_uncovered(out, &ports));
        assert_eq!(text.lines().count(), 5);
        ports.extend((0..2000).map(|n| published(10_000 + 3 * n, 10_001 + 3 * n)));
        assert_eq!(
            plain(|out| write_uncovered(out, &ports)),
            "blocked: Docker publishes 4,104 ports that no policy entry covers: 8000-8099/tcp, \
             9000/tcp, 9002/tcp, 9004/tcp, 9006/tcp and 4,000 more; dwnl status -v lists them\n"
        );
    }
}
