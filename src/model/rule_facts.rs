//! The parts of a foreign rule that are needed to recognise Docker's rules.

use ipnetwork::IpNetwork;

use super::{Interface, Name, Ports};

/// What a foreign rule tests and does, as far as Docker's rules have words for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleFacts {
    /// `-i`.
    pub in_interface: Option<Interface>,
    /// `-o`.
    pub out_interface: Option<Interface>,
    /// `-s`.
    pub source: Option<AddressMatch>,
    /// `-d`.
    pub destination: Option<AddressMatch>,
    /// `-p`, by its number.
    pub protocol: Option<u8>,
    /// `--dport`.
    pub ports: Option<Ports>,
    /// The port of `--to-destination`.
    pub container_port: Option<u16>,
    /// `-m conntrack --ctstate RELATED,ESTABLISHED`.
    pub is_ongoing: bool,
    /// What it does, if that is one of these.
    pub action: Option<Action>,
    /// Whether it tests or does anything else, so that it is not certain when it matches.
    pub has_unknown: bool,
    /// Its expressions, of a rule that translates, or may do so, for ports that cannot be read.
    pub unreadable: Option<Box<str>>,
}

/// `-s 10.77.0.0/24`, `! -d fe80::/10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressMatch {
    /// The network.
    pub network: IpNetwork,
    /// Whether the condition is inverted (`!`).
    pub negated: bool,
}

/// What a foreign rule does with a packet that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `-j ACCEPT`.
    Accept,
    /// `-j DROP`.
    Drop,
    /// `-j REJECT`.
    Reject,
    /// `-j RETURN`.
    Return,
    /// `-j CHAIN`.
    Jump(Name),
    /// `-j DNAT`, or nft's `dnat` and `redirect`.
    Translate,
}
