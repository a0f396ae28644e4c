//! Rules of iptables as far as they say who gets in.

use std::net::IpAddr;
use std::sync::Arc;

use super::intervals::Intervals;
use super::words::Word;

/// A line of the input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The file.
    pub file: Arc<str>,
    /// The number of the line, from 1.
    pub number: u32,
    /// The line.
    pub text: Arc<str>,
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Where it was read.
    pub line: Arc<Line>,
    /// The words behind the chain.
    pub words: Vec<Word>,
    /// `-m comment --comment`.
    pub comment: Option<String>,
    /// All of them have to hold.
    pub conditions: Vec<Condition>,
    /// What happens to a packet that matches.
    pub target: Target,
    /// Why it cannot be told whether the rule exists, such as a branch of a script.
    pub doubt: Option<String>,
}

impl Rule {
    /// Whether `iptables -D` takes one for the other.
    pub fn is_same(&self, other: &Rule) -> bool {
        let has_all = |a: &Rule, b: &Rule| a.conditions.iter().all(|it| b.conditions.contains(it));
        self.words == other.words
            || (self.target == other.target
                && self.comment == other.comment
                && has_all(self, other)
                && has_all(other, self))
    }
}

/// A condition of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A property is one of these values.
    Test { subject: Subject, values: Intervals, negated: bool },
    /// The packet comes in, or goes out, by an interface.
    Interface { name: String, is_out: bool, negated: bool },
    /// `-m set`: the source, or with `is_destination` the destination, is in this ipset.
    Set { name: String, is_destination: bool, negated: bool },
    /// `--dst-type LOCAL`.
    ToLocal { negated: bool },
    /// `--ctstate`, `--state`: whether new flows match, and those that were translated.
    State { is_new: bool, is_translated: bool, negated: bool },
    /// The same for every first packet.
    Constant(bool),
    /// A condition that is not understood, in words.
    Unknown(String),
}

/// What a condition tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `-s`.
    Source,
    /// `-d`: the container's address once the packet is translated.
    Destination,
    /// `--dport`: the container's port once the packet is translated.
    Port,
    /// `-p`.
    Protocol,
    /// `--ctorigdst`: the address that was called.
    OriginalDestination,
    /// `--ctorigdstport`: the port that was called.
    OriginalPort,
    /// `--ctreplsrc`: the address of the container.
    ReplySource,
    /// `--ctreplsrcport`: the port of the container.
    ReplyPort,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `-j ACCEPT`.
    Accept,
    /// `-j DROP`, `-j REJECT`.
    Deny,
    /// `-j RETURN`.
    Return,
    /// `-j CHAIN`.
    Jump(String),
    /// `-g CHAIN`.
    Goto(String),
    /// `-j DNAT`, with the address and port that flows are translated to, if there is one of them.
    Translate { to: Option<IpAddr>, port: Option<u16>, has_ports: bool },
    /// The packet goes on: `-j LOG`, `-j MARK`, or no target.
    Continue,
}
