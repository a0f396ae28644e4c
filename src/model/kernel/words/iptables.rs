//! A rule in iptables' words: header conditions, matches in order, target.

use super::super::part::{RulePart, Stateful};
use super::super::verdict::RuleVerdict;
use super::native::{self, Native, TransportMatch};
use super::{xt_match, xt_target};
use crate::model::IpVersion;

/// A rule as iptables orders its conditions.
#[derive(Default)]
struct Rule {
    source: Option<String>,
    destination: Option<String>,
    in_interface: Option<String>,
    out_interface: Option<String>,
    protocol: Option<(String, String)>,
    fragment: Option<String>,
    matches: Vec<String>,
    /// Where the match of the transport protocol is among the others.
    transport: Option<(usize, TransportMatch)>,
    target: Option<String>,
}

/// What `iptables -S` prints behind `-A CHAIN `; `None` if iptables has no words for it.
pub fn words(version: IpVersion, parts: &[RulePart]) -> Option<String> {
    let mut rule = Rule::default();
    let mut rest = parts;
    while let Some((first, behind)) = rest.split_first() {
        // A target ends the rule.
        if rule.target.is_some() && !matches!(first, RulePart::Stateful(Stateful::Counter)) {
            return None;
        }
        rest = match native::read(rest, version) {
            Some((native, rest)) => {
                rule.add(native)?;
                rest
            }
            None => {
                rule.add_part(first, version)?;
                behind
            }
        };
    }
    Some(rule.text())
}

impl Rule {
    fn add(&mut self, native: Native) -> Option<()> {
        match native {
            Native::Source(text) => put(&mut self.source, text),
            Native::Destination(text) => put(&mut self.destination, text),
            Native::InInterface(text) => put(&mut self.in_interface, text),
            Native::OutInterface(text) => put(&mut self.out_interface, text),
            Native::Protocol(invert, name) => put(&mut self.protocol, (invert, name)),
            Native::Fragment(text) => put(&mut self.fragment, text),
            Native::Transport(option) => {
                let (_, name) = self.protocol.as_ref()?;
                let position = self.matches.len();
                let new = || (position, TransportMatch::new(name));
                self.transport.get_or_insert_with(new).1.add(option)
            }
            Native::Match(text) => {
                self.matches.push(text);
                Some(())
            }
            Native::Trace => put(&mut self.target, "-j TRACE".to_owned()),
        }
    }

    fn add_part(&mut self, part: &RulePart, version: IpVersion) -> Option<()> {
        let target = match part {
            RulePart::Stateful(Stateful::Counter) => return Some(()),
            RulePart::Match(extension) => {
                self.matches.push(xt_match::words(extension));
                return Some(());
            }
            RulePart::Stateful(Stateful::Limit {
                rate,
                unit,
                burst,
                is_bytes: false,
                inverted: false,
            }) => {
                self.matches.push(xt_match::limit(10_000 * unit / (*rate).max(1), *burst));
                return Some(());
            }
            RulePart::Stateful(Stateful::Log { prefix, group: Some(group), threshold, .. }) => {
                let threshold = threshold.unwrap_or(0);
                xt_target::nflog(prefix.as_deref().unwrap_or(""), *group, threshold, None)
            }
            RulePart::Target(target) => xt_target::words(target, version),
            RulePart::Verdict(verdict) => self.verdict(verdict)?,
            RulePart::Other(name) => {
                self.matches.push(format!("[{name}]"));
                return Some(());
            }
            _ => return None,
        };
        put(&mut self.target, target)
    }

    fn verdict(&self, verdict: &RuleVerdict) -> Option<String> {
        Some(match verdict {
            RuleVerdict::Accept => "-j ACCEPT".to_owned(),
            RuleVerdict::Drop => "-j DROP".to_owned(),
            RuleVerdict::Return => "-j RETURN".to_owned(),
            RuleVerdict::Jump(chain) => format!("-j {chain}"),
            RuleVerdict::Goto(chain) => format!("-g {chain}"),
            RuleVerdict::Continue | RuleVerdict::Queue => return None,
        })
    }

    fn text(mut self) -> String {
        if let Some((position, transport)) = self.transport {
            self.matches.insert(position, transport.text());
        }
        let protocol = self.protocol.map(|(invert, name)| format!("{invert}-p {name}"));
        [
            self.source,
            self.destination,
            self.in_interface,
            self.out_interface,
            protocol,
            self.fragment,
        ]
        .into_iter()
        .flatten()
        .chain(self.matches)
        .chain(self.target)
        .collect::<Vec<String>>()
        .join(" ")
    }
}

/// Sets what is still missing; `None` if it was there before.
fn put<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}
