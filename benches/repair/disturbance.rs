//! Changes of the ruleset by another program, each as one datagram of a second netlink client.

use std::fmt::{self, Display, Formatter};

use anyhow::{Context, Result};
use dwnl::model::{Family, RuleContent, Ruleset, Snapshot};
use nix::libc;

use crate::support::{attribute, encode};

/// A change by another program that has to be repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disturbance {
    RuleAbove,
    BlockFlushed,
    JumpDeleted,
    ElementDeleted,
    OwnTableDeleted,
    RulesetFlushed,
}

impl Disturbance {
    pub const ALL: [Disturbance; 6] = [
        Disturbance::RuleAbove,
        Disturbance::BlockFlushed,
        Disturbance::JumpDeleted,
        Disturbance::ElementDeleted,
        Disturbance::OwnTableDeleted,
        Disturbance::RulesetFlushed,
    ];

    /// Whether sources get in that the policy does not allow, until the guard is repaired. The guard
    /// does not depend on what the others change.
    pub fn opens(self) -> bool {
        matches!(self, Disturbance::OwnTableDeleted | Disturbance::RulesetFlushed)
    }

    /// The batch of the disturbance for a given state of the kernel. `None` if there is nothing to
    /// disturb.
    pub fn batch(self, desired: &Ruleset, kernel: &Snapshot) -> Result<Option<Vec<u8>>> {
        let (ipv4, inet) = (libc::NFPROTO_IPV4 as u8, libc::NFPROTO_INET as u8);
        let mut message = match self {
            Disturbance::RuleAbove => Message::new(libc::NFT_MSG_NEWRULE, libc::NLM_F_CREATE, ipv4),
            Disturbance::BlockFlushed | Disturbance::JumpDeleted => {
                Message::new(libc::NFT_MSG_DELRULE, 0, ipv4)
            }
            Disturbance::ElementDeleted => Message::new(libc::NFT_MSG_DELSETELEM, 0, inet),
            Disturbance::OwnTableDeleted => Message::new(libc::NFT_MSG_DELTABLE, 0, inet),
            Disturbance::RulesetFlushed => Message::new(libc::NFT_MSG_DELTABLE, 0, 0),
        };
        match self {
            Disturbance::RuleAbove => {
                message.string(1, "nat").string(2, "PREROUTING");
                let name = attribute(1, b"counter\0");
                message.bytes(4, &attribute(1, &[name, attribute(2, &[])].concat()));
            }
            Disturbance::BlockFlushed => {
                message.string(1, "nat").string(2, "DOCKER-BLOCK");
            }
            Disturbance::JumpDeleted => {
                message.string(1, "nat").string(2, "PREROUTING");
                message.bytes(3, &jump(kernel).context("no jump")?.to_be_bytes());
            }
            Disturbance::ElementDeleted => {
                let mut elements =
                    desired.sets.iter().filter_map(|set| Some((set, set.elements.first()?)));
                let Some((set, element)) = elements.next() else { return Ok(None) };
                let key = attribute(1, &(element.first as u32).to_be_bytes());
                message.string(1, &set.path.table.table).string(2, &set.path.set);
                message.bytes(3, &attribute(1, &attribute(1, &key)));
            }
            Disturbance::OwnTableDeleted => {
                message.string(1, "dwnl");
            }
            Disturbance::RulesetFlushed => {}
        }
        Ok(Some(message.into_batch()))
    }
}

/// The handle of the rule that jumps from `PREROUTING` to `DOCKER-BLOCK`.
fn jump(kernel: &Snapshot) -> Option<u64> {
    let (_, table) = kernel.tables.iter().find(|(path, _)| path.family == Family::Ip)?;
    let rules = &table.chains.get("PREROUTING")?.rules;
    let jumps = |content: &RuleContent| content.target().is_some_and(|to| &**to == "DOCKER-BLOCK");
    Some(rules.iter().find(|rule| jumps(&rule.content))?.handle)
}

/// A row's heading.
impl Display for Disturbance {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(match self {
            Disturbance::RuleAbove => "a rule inserted above dwnl's jumps",
            Disturbance::BlockFlushed => "`DOCKER-BLOCK` flushed",
            Disturbance::JumpDeleted => "dwnl's jump deleted",
            Disturbance::ElementDeleted => "an element deleted from one of dwnl's sets",
            Disturbance::OwnTableDeleted => "`table inet dwnl` deleted",
            Disturbance::RulesetFlushed => "the whole ruleset flushed",
        })
    }
}

/// One message of nf_tables.
struct Message {
    kind: u16,
    flags: i32,
    family: u8,
    attributes: Vec<u8>,
}

impl Message {
    fn new(message: i32, flags: i32, family: u8) -> Message {
        let kind = (libc::NFNL_SUBSYS_NFTABLES << 8 | message) as u16;
        Message { kind, flags, family, attributes: Vec::new() }
    }

    fn string(&mut self, number: u16, text: &str) -> &mut Message {
        self.bytes(number, &[text.as_bytes(), &[0]].concat())
    }

    fn bytes(&mut self, number: u16, payload: &[u8]) -> &mut Message {
        self.attributes.extend(attribute(number, payload));
        self
    }

    fn into_batch(self) -> Vec<u8> {
        let frame = |kind: i32| {
            // The batch's subsystem is in a field that is zero in other messages.
            encode(kind as u16, 0, [0, 0, 0, libc::NFNL_SUBSYS_NFTABLES as u8], &[])
        };
        let message = encode(self.kind, self.flags, [self.family, 0, 0, 0], &self.attributes);
        [frame(libc::NFNL_MSG_BATCH_BEGIN), message, frame(libc::NFNL_MSG_BATCH_END)].concat()
    }
}
