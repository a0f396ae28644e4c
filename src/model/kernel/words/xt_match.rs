//! The matches of xtables in iptables' words.

use super::super::xt_match::{ConntrackMatch, MaskMatch, PortMatch, Tested, XtMatch};
use super::names::{self, ADDRESS_TYPES};
use super::native::tcp_flags;
use crate::model::quoted;

/// `--limit-burst` that is not printed.
const LIMIT_BURST: u32 = 5;

/// `-m NAME …`.
pub fn words(extension: &XtMatch) -> String {
    match extension {
        XtMatch::AddressType { source, destination, limit_in, limit_out } => {
            let mut options = Vec::new();
            for (option, types) in [("--src-type", source), ("--dst-type", destination)] {
                if types.value != 0 {
                    options.push(format!(
                        "{}{option} {}",
                        invert(types.negated),
                        address_types(types.value)
                    ));
                }
            }
            options.extend(limit_in.then(|| "--limit-iface-in".to_owned()));
            options.extend(limit_out.then(|| "--limit-iface-out".to_owned()));
            format!("-m addrtype {}", options.join(" "))
        }
        XtMatch::Comment(text) => format!("-m comment --comment {}", quoted(text)),
        XtMatch::Conntrack(conditions) => conntrack(conditions),
        XtMatch::State(states) => format!("-m state --state {}", state_list(*states)),
        XtMatch::Ports(conditions) => ports(conditions),
        XtMatch::Multiport { source, destination, ports } => {
            let option = match (source, destination) {
                (true, false) => "--sports",
                (false, true) => "--dports",
                _ => "--ports",
            };
            let list: Vec<String> = ports.value.iter().map(|range| port_range(*range)).collect();
            format!("-m multiport {}{option} {}", invert(ports.negated), list.join(","))
        }
        XtMatch::Mark(mark) => format!("-m mark {}", mask(mark)),
        XtMatch::Connmark(mark) => format!("-m connmark {}", mask(mark)),
        XtMatch::Range { source, destination } => {
            let option = |option: &str, range: &Option<Tested<_>>| {
                let range = range.as_ref()?;
                Some(format!(" {}{option} {}", invert(range.negated), range.value))
            };
            let options = [option("--src-range", source), option("--dst-range", destination)];
            format!("-m iprange{}", options.into_iter().flatten().collect::<String>())
        }
        XtMatch::Icmp { v6, kind } => icmp(*v6, kind),
        XtMatch::Limit { average, burst } => limit((*average).into(), *burst),
        XtMatch::Other(name) => format!("-m [{name}]"),
    }
}

/// `-m limit --limit 3/min --limit-burst 10`; `period` in units of 0.1 ms.
pub fn limit(period: u64, burst: u32) -> String {
    const SECOND: u64 = 10_000;
    let units =
        [("day", SECOND * 86_400), ("hour", SECOND * 3600), ("min", SECOND * 60), ("sec", SECOND)];
    let period = period.max(1);
    let coarser = |unit: &&(&str, u64)| period > unit.1 || unit.1 / period < unit.1 % period;
    let index = units[1..].iter().position(|unit| coarser(&unit)).unwrap_or(units.len() - 1);
    let (name, unit) = units[index];
    let burst =
        if burst == LIMIT_BURST { String::new() } else { format!(" --limit-burst {burst}") };
    format!("-m limit --limit {}/{name}{burst}", unit / period)
}

fn invert(negated: bool) -> &'static str {
    if negated { "! " } else { "" }
}

fn address_types(types: u16) -> String {
    let names = ADDRESS_TYPES.iter().enumerate().map(|(number, name)| (1 << number, *name));
    names::bits(types.into(), names).join(",").to_uppercase()
}

/// `1000:2000`.
fn port_range((first, last): (u16, u16)) -> String {
    if first == last { first.to_string() } else { format!("{first}:{last}") }
}

fn ports(conditions: &PortMatch) -> String {
    let mut options = vec![format!("-m {}", conditions.protocol)];
    for (option, ports) in [("--sport", &conditions.source), ("--dport", &conditions.destination)] {
        if ports.value != (0, u16::MAX) || ports.negated {
            options.push(format!("{}{option} {}", invert(ports.negated), port_range(ports.value)));
        }
    }
    if conditions.option.value != 0 {
        let option = &conditions.option;
        options.push(format!("{}--tcp-option {}", invert(option.negated), option.value));
    }
    let (mask, flags) = conditions.flags.value;
    if mask != 0 || conditions.flags.negated {
        let negated = invert(conditions.flags.negated);
        options.push(format!("{negated}--tcp-flags {} {}", tcp_flags(mask), tcp_flags(flags)));
    }
    options.extend(conditions.chunks.then(|| "[--chunk-types]".to_owned()));
    options.join(" ")
}

/// `--mark 0x1/0xff`.
fn mask(mark: &MaskMatch) -> String {
    let mask = if mark.mask == u32::MAX { String::new() } else { format!("/{:#x}", mark.mask) };
    format!("{}--mark {:#x}{mask}", invert(mark.negated), mark.mark)
}

/// `RELATED,ESTABLISHED`, in iptables' order.
fn state_list(states: u32) -> String {
    const STATES: [(u32, &str); 7] = [
        (1, "INVALID"),
        (8, "NEW"),
        (4, "RELATED"),
        (2, "ESTABLISHED"),
        (1 << 8, "UNTRACKED"),
        (1 << 6, "SNAT"),
        (1 << 7, "DNAT"),
    ];
    names::bits(states, STATES).join(",")
}

fn status_list(status: u32) -> String {
    const STATUS: [(u32, &str); 4] =
        [(1, "EXPECTED"), (2, "SEEN_REPLY"), (4, "ASSURED"), (8, "CONFIRMED")];
    if status == 0 { "NONE".to_owned() } else { names::bits(status, STATUS).join(",") }
}

fn conntrack(conditions: &ConntrackMatch) -> String {
    if conditions.is_state_alias
        && let Some(states) = &conditions.states
    {
        let list = state_list(states.value.into());
        return format!("-m state {}--state {list}", invert(states.negated));
    }
    let mut options = vec!["-m conntrack".to_owned()];
    let mut add = |option: &str, negated: bool, text: String| {
        options.push(format!("{}{option} {text}", invert(negated)));
    };
    if let Some(states) = &conditions.states {
        add("--ctstate", states.negated, state_list(states.value.into()));
    }
    if let Some(protocol) = &conditions.protocol {
        add("--ctproto", protocol.negated, protocol.value.to_string());
    }
    for (option, network) in [
        ("--ctorigsrc", &conditions.original_source),
        ("--ctorigdst", &conditions.original_destination),
        ("--ctreplsrc", &conditions.reply_source),
        ("--ctrepldst", &conditions.reply_destination),
    ] {
        if let Some(Tested { value, negated }) = network {
            add(option, *negated, network_text(value));
        }
    }
    for (option, ports) in [
        ("--ctorigsrcport", &conditions.original_source_port),
        ("--ctorigdstport", &conditions.original_destination_port),
        ("--ctreplsrcport", &conditions.reply_source_port),
        ("--ctrepldstport", &conditions.reply_destination_port),
    ] {
        if let Some(Tested { value, negated }) = ports {
            add(option, *negated, port_range(*value));
        }
    }
    if let Some(status) = &conditions.status {
        add("--ctstatus", status.negated, status_list(status.value.into()));
    }
    if let Some(Tested { value: (first, last), negated }) = conditions.expires {
        let range = if first == last { first.to_string() } else { format!("{first}:{last}") };
        add("--ctexpire", negated, range);
    }
    if let Some(is_original) = conditions.is_original {
        add("--ctdir", false, if is_original { "ORIGINAL" } else { "REPLY" }.to_owned());
    }
    options.join(" ")
}

/// A host without its prefix length.
fn network_text(network: &ipnetwork::IpNetwork) -> String {
    let full = if network.is_ipv4() { 32 } else { 128 };
    if network.prefix() == full { network.ip().to_string() } else { network.to_string() }
}

fn icmp(v6: bool, kind: &Tested<(u8, u8, u8)>) -> String {
    let (number, first, last) = kind.value;
    let (name, option) = if v6 { ("icmp6", "--icmpv6-type") } else { ("icmp", "--icmp-type") };
    let kind_text = match (number, first, last) {
        (255, 0, 255) if !v6 => "any".to_owned(),
        (_, 0, 255) => number.to_string(),
        (_, first, last) if first == last => format!("{number}/{first}"),
        (_, first, last) => format!("{number}/{first}:{last}"),
    };
    format!("-m {name} {}{option} {kind_text}", invert(kind.negated))
}
