//! Policies of any size, also in the formats that the peers read.

mod country;
mod formats;
mod policy;
mod source;

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

pub use self::formats::RESTORE_MAX;
pub use self::policy::Form;
use self::source::Source;
use crate::support::grouped;

/// The published port of policies with one port, and of one entry of the others.
pub const PORT: u16 = 443;
/// Number of sources of each port in [`Mix::Ports`].
const SOURCES_PER_PORT: usize = 100;
/// Distance between the ports of policies with many, so that no two are adjacent in either variant.
const PORT_STEP: usize = 6;

/// What a row of a table is about: the kinds of policies, and those of other measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mix {
    /// Single addresses.
    Hosts,
    /// Nine addresses for each prefix.
    Mixed,
    /// As many prefixes as ranges.
    Ranges,
    /// Prefixes of the lengths that lists of countries have.
    Country,
    /// One entry of many ports and 100 sources; the size is the number of pairs.
    Ports,
    /// An entry for each port, with one source.
    Scattered,
    /// Ports that Docker publishes and no entry has.
    Published,
    /// Bans by hand.
    Bans,
    /// Grants by hand.
    Grants,
    /// Sources that the guard has refused.
    Refused,
}

impl Mix {
    /// The kinds of policies.
    pub const POLICIES: [Mix; 6] =
        [Mix::Hosts, Mix::Mixed, Mix::Ranges, Mix::Country, Mix::Ports, Mix::Scattered];
    /// All rows.
    pub const ALL: [Mix; 10] = [
        Mix::Hosts,
        Mix::Mixed,
        Mix::Ranges,
        Mix::Country,
        Mix::Ports,
        Mix::Scattered,
        Mix::Published,
        Mix::Bans,
        Mix::Grants,
        Mix::Refused,
    ];

    /// `100,000 hosts`
    pub fn label(self, size: usize) -> String {
        let unit = match self {
            Mix::Hosts => "hosts",
            Mix::Mixed => "mixed",
            Mix::Ranges => "ranges",
            Mix::Country => "prefixes of a country list",
            Mix::Ports => {
                let ports = grouped(size / SOURCES_PER_PORT);
                return format!("{ports} ports × {SOURCES_PER_PORT} hosts");
            }
            Mix::Scattered => "scattered ports, an entry each",
            Mix::Published => "published ports in no entry",
            Mix::Bans if size == 1 => "ban",
            Mix::Bans => "bans",
            Mix::Grants => "grants",
            Mix::Refused => "refused sources",
        };
        format!("{} {unit}", grouped(size))
    }
}

/// The variants of a policy of one size and mix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Variant {
    /// The policy that is loaded first.
    First,
    /// A policy that has nothing in common with the first.
    Other,
    /// The first policy with one source changed.
    OneChanged,
}

/// The transport protocol of a policy's port.
#[derive(Clone, Copy)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Display for Protocol {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        })
    }
}

/// One policy.
pub struct Workload {
    mix: Mix,
    protocol: Protocol,
    sources: Vec<Source>,
    ports: Vec<u16>,
}

impl Workload {
    pub fn new(mix: Mix, size: usize, variant: Variant, protocol: Protocol) -> Workload {
        let (sources, ports) = match mix {
            Mix::Ports => (size.min(SOURCES_PER_PORT), size.div_ceil(SOURCES_PER_PORT)),
            Mix::Scattered => (size, size),
            _ => (size, 1),
        };
        let other = usize::from(variant == Variant::Other);
        let port = |index| PORT + (index * PORT_STEP + other * PORT_STEP / 2) as u16;
        let ports = match mix {
            Mix::Ports | Mix::Scattered => (0..ports).map(port).collect(),
            _ => vec![PORT],
        };
        Workload { mix, protocol, sources: source::sources(mix, sources, variant), ports }
    }
}

/// Writes a file and returns its path.
pub fn write(directory: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = directory.join(name);
    fs::write(&path, text)?;
    Ok(path)
}
