//! The same policies for the peers, each in the form that is best for it.

use std::fmt::{Display, Write as _};

use super::{Mix, Source, Workload};

/// Maximum number of rules that are loaded with iptables. A million take half a minute and 3 GB.
pub const RESTORE_MAX: usize = 100_000;

impl Workload {
    /// For `iptables-restore --noflush`: the chains are flushed and filled.
    pub fn restore_text(&self) -> String {
        let mut text = "*nat\n:DOCKER-BLOCK - [0:0]\n".to_owned();
        if self.mix == Mix::Ports {
            text += ":DOCKER-BLOCK-SOURCES - [0:0]\n";
        }
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

    /// The number of rules in `DOCKER-BLOCK`.
    pub fn rule_count(&self) -> usize {
        match self.mix {
            Mix::Ports => self.ports.len(),
            _ => self.sources.len(),
        }
    }

    /// The number of elements in the set of sources.
    pub fn element_count(&self) -> usize {
        self.sources.len()
    }

    /// For `nft -f`: the sets of [`Workload::nft_frame`] are flushed and filled.
    pub fn nft_text(&self) -> String {
        let mut text = nft_elements("allowed", &self.keys(" . "));
        if self.mix == Mix::Ports {
            text += &nft_elements("ports", &self.ports);
        }
        text
    }

    /// The table with the sets, and the rule that looks them up.
    pub fn nft_frame(&self) -> String {
        let protocol = self.protocol;
        let (kind, condition) = match self.mix {
            Mix::Scattered => {
                ("ipv4_addr . inet_service;", format!("ip saddr . {protocol} dport @allowed"))
            }
            Mix::Ports => ("ipv4_addr;", format!("ip saddr @allowed {protocol} dport @ports")),
            Mix::Hosts => ("ipv4_addr;", self.one_port()),
            _ => ("ipv4_addr; flags interval;", self.one_port()),
        };
        format!(
            "table inet peer {{\n\
             set allowed {{ type {kind} }}\n\
             set ports {{ type inet_service; }}\n\
             chain allow {{\ntype nat hook prerouting priority -101;\n\
             fib daddr type local {condition} ct mark set ct mark or 0x2000\n}}\n}}\n"
        )
    }

    fn one_port(&self) -> String {
        format!("ip saddr @allowed {} dport {}", self.protocol, super::PORT)
    }

    /// For `ipset restore`: new sets are filled and take the places of the old ones, which exist.
    pub fn ipset_text(&self) -> String {
        let buckets = self.sources.len().next_power_of_two().max(1024);
        let kind = self.ipset_kind();
        // A range becomes several prefixes.
        let most = 64 * self.sources.len().max(1024);
        let room = format!("hashsize {buckets} maxelem {most}");
        let protocol = self.protocol;
        let keys = self.keys(&format!(",{protocol}:"));
        let mut text = ipset_swap("allowed", &format!("{kind} {room}"), &keys);
        if self.mix == Mix::Ports {
            text += &ipset_swap("ports", "bitmap:port range 0-65535", &self.ports);
        }
        text
    }

    /// The empty sets that [`Workload::ipset_text`] replaces.
    pub fn ipset_frame(&self) -> String {
        let kind = self.ipset_kind();
        format!("create allowed {kind}\ncreate ports bitmap:port range 0-65535\n")
    }

    fn ipset_kind(&self) -> &'static str {
        match self.mix {
            Mix::Scattered => "hash:ip,port",
            Mix::Hosts | Mix::Ports => "hash:ip",
            _ => "hash:net",
        }
    }

    /// The elements of the set of sources: with the port, if each source has its own.
    fn keys(&self, separator: &str) -> Vec<String> {
        match self.mix {
            Mix::Scattered => {
                let pairs = self.sources.iter().zip(&self.ports);
                pairs.map(|(source, port)| format!("{source}{separator}{port}")).collect()
            }
            _ => self.sources.iter().map(Source::to_string).collect(),
        }
    }

    /// The rules as iptables prints them and as dwnl writes small entries.
    fn rules(&self) -> Vec<String> {
        let jump = "-m conntrack --ctstate NEW -m comment --comment web -j DOCKER";
        let protocol = self.protocol;
        let port = |port: &u16| format!("-p {protocol} -m {protocol} --dport {port}");
        let rule = |source: &Source, at: &u16| {
            let (source, range) = match source {
                Source::Range(..) => (String::new(), format!("-m iprange --src-range {source} ")),
                source => (format!("-s {source} "), String::new()),
            };
            format!("-A DOCKER-BLOCK {source}{} {range}{jump}", port(at))
        };
        match self.mix {
            Mix::Ports => {
                let ports = self.ports.iter();
                let ports =
                    ports.map(|it| format!("-A DOCKER-BLOCK {} -g DOCKER-BLOCK-SOURCES", port(it)));
                let sources = self.sources.iter();
                let sources =
                    sources.map(|source| format!("-A DOCKER-BLOCK-SOURCES -s {source} {jump}"));
                ports.chain(sources).collect()
            }
            Mix::Scattered => {
                self.sources.iter().zip(&self.ports).map(|(source, at)| rule(source, at)).collect()
            }
            _ => self.sources.iter().map(|source| rule(source, &super::PORT)).collect(),
        }
    }
}

fn nft_elements(set: &str, elements: &[impl ToString]) -> String {
    let elements: Vec<String> = elements.iter().map(ToString::to_string).collect();
    format!(
        "flush set inet peer {set}\nadd element inet peer {set} {{ {} }}\n",
        elements.join(", ")
    )
}

fn ipset_swap(set: &str, kind: &str, elements: &[impl Display]) -> String {
    let mut text = format!("create new-{set} {kind}\n");
    for element in elements {
        let _ = writeln!(text, "add new-{set} {element}");
    }
    text + &format!("swap new-{set} {set}\ndestroy new-{set}\n")
}
