//! nft's statements, in its words.

use super::super::part::{NatTarget, RulePart, Stateful, Update};
use super::super::verdict::RuleVerdict;
use super::names::LOG_LEVELS;
use crate::model::{Family, IpVersion};

/// `accept`, `jump CHAIN`.
pub fn verdict(verdict: &RuleVerdict) -> String {
    match verdict {
        RuleVerdict::Accept => "accept".to_owned(),
        RuleVerdict::Drop => "drop".to_owned(),
        RuleVerdict::Continue => "continue".to_owned(),
        RuleVerdict::Return => "return".to_owned(),
        RuleVerdict::Jump(chain) => format!("jump {chain}"),
        RuleVerdict::Goto(chain) => format!("goto {chain}"),
        RuleVerdict::Queue => "queue".to_owned(),
    }
}

/// `reject with icmp host-unreachable`; the default is not printed.
pub fn reject(family: Family, version: Option<IpVersion>, kind: u32, code: u8) -> String {
    const TCP_RESET: u32 = 1;
    const ICMPX: u32 = 2;
    const V4: [(u8, &str); 7] = [
        (0, "net-unreachable"),
        (1, "host-unreachable"),
        (2, "prot-unreachable"),
        (3, "port-unreachable"),
        (9, "net-prohibited"),
        (10, "host-prohibited"),
        (13, "admin-prohibited"),
    ];
    const V6: [(u8, &str); 6] = [
        (0, "no-route"),
        (1, "admin-prohibited"),
        (3, "addr-unreachable"),
        (4, "port-unreachable"),
        (5, "policy-fail"),
        (6, "reject-route"),
    ];
    const ANY: [(u8, &str); 4] = [
        (0, "no-route"),
        (1, "port-unreachable"),
        (2, "host-unreachable"),
        (3, "admin-prohibited"),
    ];
    let is_v6 = version == Some(IpVersion::V6);
    let (protocol, names, default): (&str, &[(u8, &str)], Option<u8>) = match kind {
        TCP_RESET => return "reject with tcp reset".to_owned(),
        ICMPX => ("icmpx", &ANY, Some(1)),
        _ if is_v6 => ("icmpv6", &V6, (family == Family::Ip6).then_some(4)),
        _ => ("icmp", &V4, (family == Family::Ip).then_some(3)),
    };
    if default == Some(code) {
        return "reject".to_owned();
    }
    let name = names.iter().find(|(number, _)| *number == code);
    let name = name.map_or_else(|| code.to_string(), |(_, name)| (*name).to_owned());
    format!("reject with {protocol} {name}")
}

/// `log prefix "…" group 5`, `limit rate 10/second`. Counters are left out.
pub fn stateful(stateful: &Stateful) -> String {
    match stateful {
        Stateful::Counter => String::new(),
        Stateful::Connlimit { count, inverted } => {
            format!("ct count {}{count}", if *inverted { "over " } else { "" })
        }
        Stateful::Log { prefix, group, level, flags, snaplen, threshold } => {
            let mut words = vec!["log".to_owned()];
            words.extend(prefix.as_ref().map(|prefix| format!("prefix \"{prefix}\"")));
            words.extend(group.map(|group| format!("group {group}")));
            let size = snaplen.filter(|size| group.is_some() && *size != 0);
            words.extend(size.map(|size| format!("snaplen {size}")));
            let threshold = threshold.filter(|number| group.is_some() && *number != 0);
            words.extend(threshold.map(|number| format!("queue-threshold {number}")));
            let level = level.filter(|level| group.is_none() && *level != WARNING);
            words.extend(level.and_then(log_level));
            words.extend(log_flags(*flags));
            words.join(" ")
        }
        Stateful::Limit { rate, unit, burst, is_bytes, inverted } => {
            let over = if *inverted { "over " } else { "" };
            let (amount, kind) = if *is_bytes { bytes(*rate) } else { (*rate, "") };
            let burst = match (is_bytes, burst) {
                (false, 5) | (_, 0) => String::new(),
                (false, burst) => format!(" burst {burst} packets"),
                (true, burst) => {
                    let (burst, unit) = bytes(u64::from(*burst));
                    format!(" burst {burst}{unit}")
                }
            };
            format!("limit rate {over}{amount}{kind}/{}{burst}", time_unit(*unit))
        }
    }
}

/// `LOG_WARNING`, which is not printed.
const WARNING: u32 = 4;

fn log_level(level: u32) -> Option<String> {
    let audit = (level == 8).then_some("audit");
    let name = LOG_LEVELS.get(level as usize).copied().or(audit)?;
    Some(format!("level {name}"))
}

/// `NF_LOG_*`.
fn log_flags(flags: u32) -> Option<String> {
    const ALL: u32 = 0x2f;
    let tcp = super::names::bits(flags, [(1, "sequence"), (2, "options")]);
    let mut words = Vec::new();
    if flags & ALL == ALL {
        return Some("flags all".to_owned());
    }
    if !tcp.is_empty() {
        words.push(format!("flags tcp {}", tcp.join(",")));
    }
    let others = [(4, "flags ip options"), (8, "flags skuid"), (32, "flags ether")];
    words.extend(super::names::bits(flags, others).into_iter().map(str::to_owned));
    (!words.is_empty()).then(|| words.join(" "))
}

fn time_unit(seconds: u64) -> String {
    let name = match seconds {
        1 => "second",
        60 => "minute",
        3600 => "hour",
        86_400 => "day",
        604_800 => "week",
        _ => return format!("{seconds}s"),
    };
    name.to_owned()
}

fn bytes(number: u64) -> (u64, &'static str) {
    match number {
        _ if number > 0 && number.is_multiple_of(1 << 20) => (number >> 20, " mbytes"),
        _ if number > 0 && number.is_multiple_of(1 << 10) => (number >> 10, " kbytes"),
        _ => (number, " bytes"),
    }
}

/// `dnat ip to 10.0.0.2:80 persistent`; the version where the family of the table does not say it.
pub fn nat(target: NatTarget, version: Option<IpVersion>, to: &str, flags: u32) -> String {
    let name = match target {
        NatTarget::Destination => "dnat",
        NatTarget::Source => "snat",
        NatTarget::Masquerade => "masquerade",
        NatTarget::Redirect => "redirect",
    };
    let mut words = vec![name.to_owned()];
    words.extend(version.map(|version| Family::from(version).to_string()));
    if !to.is_empty() {
        words.push(format!("to {to}"));
    }
    let flags = super::names::bits(flags, [(4, "random"), (16, "fully-random"), (8, "persistent")]);
    if !flags.is_empty() {
        words.push(flags.join(","));
    }
    words.join(" ")
}

/// `update @SET { ip saddr timeout 1h }`.
pub fn update(update: &Update, key: &str) -> String {
    let operation = match update.operation {
        0 => "add",
        1 => "update",
        _ => "delete",
    };
    let mut words = key.to_owned();
    if update.timeout > 0 {
        words += &format!(" timeout {}", duration(update.timeout));
    }
    for expression in &update.expressions {
        words += &match expression {
            RulePart::Stateful(Stateful::Counter) => " counter".to_owned(),
            RulePart::Stateful(part) => format!(" {}", stateful(part)),
            RulePart::Other(name) => format!(" [{name}]"),
            _ => " [?]".to_owned(),
        };
    }
    let value = if update.is_map { " : [?]" } else { "" };
    format!("{operation} @{} {{ {words}{value} }}", update.set)
}

/// Milliseconds as nft writes them: `1d2h3m4s`, `500ms`.
fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (milliseconds % 1000, "ms"),
    ];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    parts.map(|(number, unit)| format!("{number}{unit}")).collect()
}
