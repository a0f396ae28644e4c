//! The targets of xtables in iptables' words.

use std::net::IpAddr;

use super::super::xt_target::{ConnmarkMode, Translation, XtTarget};
use super::names::LOG_LEVELS;
use crate::model::{IpVersion, quoted};

/// `NF_NAT_RANGE_*`.
const RANDOM: u32 = 4;
const PERSISTENT: u32 = 8;
const RANDOM_FULLY: u32 = 16;

/// `-j NAME …`.
pub fn words(target: &XtTarget, version: IpVersion) -> String {
    match target {
        XtTarget::Dnat(to) => format!("-j DNAT{}", addresses("--to-destination", to)),
        XtTarget::Snat(to) => format!("-j SNAT{}", addresses("--to-source", to)),
        XtTarget::Masquerade(to) => format!("-j MASQUERADE{}", ports(to)),
        XtTarget::Redirect(to) => format!("-j REDIRECT{}", ports(to)),
        XtTarget::Mark { value, mask } => format!("-j MARK --set-xmark {value:#x}/{mask:#x}"),
        XtTarget::Connmark { value, mask, packet_mask, mode } => match mode {
            ConnmarkMode::Set => format!("-j CONNMARK --set-xmark {value:#x}/{mask:#x}"),
            ConnmarkMode::Save => {
                format!("-j CONNMARK --save-mark --nfmask {packet_mask:#x} --ctmask {mask:#x}")
            }
            ConnmarkMode::Restore => {
                format!("-j CONNMARK --restore-mark --nfmask {packet_mask:#x} --ctmask {mask:#x}")
            }
            ConnmarkMode::Other => "-j [CONNMARK]".to_owned(),
        },
        XtTarget::Log { level, flags, prefix } => log(*level, *flags, prefix),
        XtTarget::Nflog { group, threshold, size, prefix } => {
            nflog(prefix, *group, *threshold, *size)
        }
        XtTarget::TcpMss(None) => "-j TCPMSS --clamp-mss-to-pmtu".to_owned(),
        XtTarget::TcpMss(Some(size)) => format!("-j TCPMSS --set-mss {size}"),
        XtTarget::Reject { with, .. } => reject(version, *with)
            .map_or("-j [REJECT]".to_owned(), |with| format!("-j REJECT --reject-with {with}")),
        XtTarget::Ct { flags, zone, helper } => ct(*flags, *zone, helper),
        XtTarget::Notrack => "-j NOTRACK".to_owned(),
        XtTarget::Trace => "-j TRACE".to_owned(),
        XtTarget::Other(name) => format!("-j [{name}]"),
    }
}

/// `-j NFLOG --nflog-prefix … --nflog-group …`.
pub fn nflog(prefix: &str, group: u16, threshold: u16, size: Option<u32>) -> String {
    let mut text = "-j NFLOG".to_owned();
    if !prefix.is_empty() {
        text += &format!(" --nflog-prefix {}", quoted(prefix));
    }
    if group != 0 {
        text += &format!(" --nflog-group {group}");
    }
    if let Some(size) = size {
        text += &format!(" --nflog-size {size}");
    }
    if threshold > 1 {
        text += &format!(" --nflog-threshold {threshold}");
    }
    text
}

fn log(level: u8, flags: u8, prefix: &str) -> String {
    /// `LOG_WARNING`, which is not printed.
    const WARNING: u8 = 4;
    const FLAGS: [(u8, &str); 6] = [
        (1, "--log-tcp-sequence"),
        (2, "--log-tcp-options"),
        (4, "--log-ip-options"),
        (8, "--log-uid"),
        (16, "[--log-nflog]"),
        (32, "--log-macdecode"),
    ];
    let mut text = "-j LOG".to_owned();
    if !prefix.is_empty() {
        text += &format!(" --log-prefix {}", quoted(prefix));
    }
    if level != WARNING {
        text += &match LOG_LEVELS.get(usize::from(level)) {
            Some(_) => format!(" --log-level {level}"),
            None => " [--log-level]".to_owned(),
        };
    }
    for (_, option) in FLAGS.into_iter().filter(|(bit, _)| flags & bit != 0) {
        text += " ";
        text += option;
    }
    text
}

fn reject(version: IpVersion, with: u32) -> Option<&'static str> {
    const V4: [&str; 9] = [
        "icmp-net-unreachable",
        "icmp-host-unreachable",
        "icmp-proto-unreachable",
        "icmp-port-unreachable",
        "[echo-reply]",
        "icmp-net-prohibited",
        "icmp-host-prohibited",
        "tcp-reset",
        "icmp-admin-prohibited",
    ];
    const V6: [&str; 9] = [
        "icmp6-no-route",
        "icmp6-adm-prohibited",
        "[not-neighbour]",
        "icmp6-addr-unreachable",
        "icmp6-port-unreachable",
        "[echo-reply]",
        "tcp-reset",
        "icmp6-policy-fail",
        "icmp6-reject-route",
    ];
    let names = match version {
        IpVersion::V4 => V4,
        IpVersion::V6 => V6,
    };
    names.get(with as usize).copied()
}

fn ct(flags: u16, zone: u16, helper: &str) -> String {
    if flags & 2 != 0 {
        return "-j NOTRACK".to_owned();
    }
    let mut text = "-j CT".to_owned();
    if flags & 1 != 0 {
        text += " --notrack";
    }
    if !helper.is_empty() {
        text += &format!(" --helper {helper}");
    }
    if flags & 16 != 0 {
        text += " --zone mark";
    } else if zone != 0 {
        text += &format!(" --zone {zone}");
    }
    text
}

/// ` --to-destination 10.0.0.2-10.0.0.5:8080-8090 --random`.
fn addresses(option: &str, to: &Translation) -> String {
    let address = |address: IpAddr| match (address, to.ports) {
        (IpAddr::V6(address), Some(_)) => format!("[{address}]"),
        _ => address.to_string(),
    };
    let addresses = match to.addresses {
        None => String::new(),
        Some((first, last)) if first == last => address(first),
        Some((first, last)) => format!("{}-{}", address(first), address(last)),
    };
    let ports = to.ports.map(|ports| format!(":{}", port_range(ports))).unwrap_or_default();
    format!(" {option} {addresses}{ports}{}", flags(to.flags))
}

/// ` --to-ports 100-200 --random-fully`.
fn ports(to: &Translation) -> String {
    let ports = to.ports.map(|ports| format!(" --to-ports {}", port_range(ports)));
    ports.unwrap_or_default() + &flags(to.flags)
}

fn port_range((first, last): (u16, u16)) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn flags(flags: u32) -> String {
    let mut text = String::new();
    for (bit, option) in
        [(RANDOM, " --random"), (RANDOM_FULLY, " --random-fully"), (PERSISTENT, " --persistent")]
    {
        if flags & bit != 0 {
            text += option;
        }
    }
    text
}
