//! Policies of any size, also in the formats that the peers read.

use std::fmt::{self, Display, Formatter, Write as _};
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// The one published port of all policies.
pub const PORT: u16 = 443;

/// The kinds of sources in a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mix {
    /// Single addresses.
    Hosts,
    /// Nine addresses for each prefix.
    Mixed,
    /// As many prefixes as ranges.
    Ranges,
}

impl Mix {
    pub const ALL: [Mix; 3] = [Mix::Hosts, Mix::Mixed, Mix::Ranges];

    pub fn name(self) -> &'static str {
        match self {
            Mix::Hosts => "hosts",
            Mix::Mixed => "mixed",
            Mix::Ranges => "ranges",
        }
    }
}

/// The variants of a policy of one size and mix.
#[derive(Clone, Copy)]
pub enum Variant {
    /// The policy that is loaded first.
    First,
    /// A policy that has no source in common with the first.
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

enum Source {
    Host(Ipv4Addr),
    Prefix(Ipv4Addr, u8),
    Range(Ipv4Addr, Ipv4Addr),
}

/// The source as policies and nft write it.
impl Display for Source {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Source::Host(address) => write!(f, "{address}"),
            Source::Prefix(network, length) => write!(f, "{network}/{length}"),
            Source::Range(first, last) => write!(f, "{first}-{last}"),
        }
    }
}

/// One policy.
pub struct Workload {
    mix: Mix,
    protocol: Protocol,
    sources: Vec<Source>,
}

impl Workload {
    pub fn new(mix: Mix, size: usize, variant: Variant, protocol: Protocol) -> Workload {
        let half = |index| match variant {
            Variant::First => 0,
            Variant::Other => HALF,
            Variant::OneChanged => HALF * u32::from(index == size / 2),
        };
        let sources = (0..size).map(|index| source(mix, slot(index, size), half(index))).collect();
        Workload { mix, protocol, sources }
    }

    /// Writes the policy, without the guard, and the file of its sources, and returns the path of
    /// the policy.
    pub fn write_policy(&self, directory: &Path, name: &str) -> Result<PathBuf> {
        self.write(directory, name, "[guard]\nenabled = false\n")
    }

    /// The same with the guard, which is on by default.
    pub fn write_guarded_policy(&self, directory: &Path, name: &str) -> Result<PathBuf> {
        self.write(directory, name, "")
    }

    fn write(&self, directory: &Path, name: &str, settings: &str) -> Result<PathBuf> {
        let protocol = self.protocol;
        let list: String = self.sources.iter().map(|source| format!("{source}\n")).collect();
        write(directory, &format!("{name}.txt"), &list)?;
        let policy = format!(
            "{settings}[sources]\npeers = {{ file = \"{name}.txt\" }}\n\n\
             [[allow]]\nname = \"web\"\nports = [\"{PORT}/{protocol}\"]\nfrom = [\"peers\"]\n"
        );
        write(directory, &format!("{name}.toml"), &policy)
    }

    /// For `iptables-restore --noflush`: the chain is flushed and filled.
    pub fn restore_text(&self) -> String {
        let mut text = "*nat\n:DOCKER-BLOCK - [0:0]\n".to_owned();
        for rule in self.rules() {
            let _ = writeln!(text, "{rule}");
        }
        text + "COMMIT\n"
    }

    /// A script with one `iptables` process per rule.
    pub fn script_text(&self) -> String {
        let mut text = "set -e\niptables -t nat -F DOCKER-BLOCK\n".to_owned();
        for rule in self.rules() {
            let _ = writeln!(text, "iptables -t nat {rule}");
        }
        text
    }

    /// For `nft -f`: the set of [`Workload::nft_frame`] is flushed and filled.
    pub fn nft_text(&self) -> String {
        let elements: Vec<String> = self.sources.iter().map(Source::to_string).collect();
        format!(
            "flush set inet peer allowed\nadd element inet peer allowed {{ {} }}\n",
            elements.join(", ")
        )
    }

    /// The table with the set, and the rule that looks it up.
    pub fn nft_frame(&self) -> String {
        let (protocol, interval) = (self.protocol, self.mix != Mix::Hosts);
        let flags = if interval { "flags interval;" } else { "" };
        format!(
            "table inet peer {{\n\
             set allowed {{ type ipv4_addr; {flags} }}\n\
             chain allow {{\ntype nat hook prerouting priority -101;\n\
             fib daddr type local ip saddr @allowed {protocol} dport {PORT} \
             ct mark set ct mark or 0x2000\n}}\n}}\n"
        )
    }

    /// The rules as iptables prints them and as dwnl writes small entries.
    fn rules(&self) -> impl Iterator<Item = String> {
        let protocol = self.protocol;
        self.sources.iter().map(move |source| {
            let (source, range) = match source {
                Source::Range(..) => (String::new(), format!("-m iprange --src-range {source} ")),
                source => (format!("-s {source} "), String::new()),
            };
            format!(
                "-A DOCKER-BLOCK {source}-p {protocol} -m {protocol} --dport {PORT} {range}\
                 -m conntrack --ctstate NEW -m comment --comment web -j DOCKER"
            )
        })
    }
}

/// Writes a file and returns its path.
pub fn write(directory: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = directory.join(name);
    fs::write(&path, text)?;
    Ok(path)
}

/// Number of addresses that each source has to itself, so that no two sources are adjacent.
const SLOT: u32 = 128;
/// Half of a slot, of which the second is for [`Variant::Other`].
const HALF: u32 = SLOT / 2;
/// Coprime to every size, so that it scatters the sources.
const STRIDE: usize = 7919;

fn slot(index: usize, size: usize) -> u32 {
    (index * STRIDE % size) as u32
}

fn source(mix: Mix, slot: u32, half: u32) -> Source {
    let base = u32::from(Ipv4Addr::new(10, 0, 0, 0)) + slot * SLOT + half;
    let length = 27 + (slot / 10 % 4) as u8;
    match mix {
        Mix::Mixed if slot.is_multiple_of(10) => Source::Prefix(base.into(), length),
        Mix::Ranges if slot.is_multiple_of(2) => Source::Prefix(base.into(), length),
        Mix::Ranges => Source::Range((base + 3).into(), (base + 9 + slot % 40).into()),
        _ => Source::Host((base + 7).into()),
    }
}
