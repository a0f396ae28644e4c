//! Where base chains are attached to the path of packets.

use std::fmt;

/// A hook of netfilter (`NF_INET_*` of `linux/netfilter.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// `NF_INET_PRE_ROUTING`: everything that comes in.
    Prerouting,
    /// `NF_INET_LOCAL_IN`: what is delivered on this host.
    Input,
    /// `NF_INET_FORWARD`: what passes through this host.
    Forward,
    /// `NF_INET_LOCAL_OUT`: what this host sends.
    Output,
    /// `NF_INET_POST_ROUTING`: everything that goes out.
    Postrouting,
    /// Any other, by its number.
    Other(u32),
}

impl Hook {
    /// Its number.
    pub fn number(self) -> u32 {
        match self {
            Hook::Prerouting => 0,
            Hook::Input => 1,
            Hook::Forward => 2,
            Hook::Output => 3,
            Hook::Postrouting => 4,
            Hook::Other(number) => number,
        }
    }
}

/// The hook with this number.
impl From<u32> for Hook {
    fn from(number: u32) -> Hook {
        match number {
            0 => Hook::Prerouting,
            1 => Hook::Input,
            2 => Hook::Forward,
            3 => Hook::Output,
            4 => Hook::Postrouting,
            _ => Hook::Other(number),
        }
    }
}

/// nft's word for it, or its number.
impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hook::Prerouting => "prerouting",
            Hook::Input => "input",
            Hook::Forward => "forward",
            Hook::Output => "output",
            Hook::Postrouting => "postrouting",
            Hook::Other(number) => return write!(f, "{number}"),
        })
    }
}

/// Where a base chain is attached to the path of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BaseChain<'a> {
    /// The type: `filter`, `nat` or `route`.
    pub chain_type: &'a str,
    /// The hook.
    pub hook: Hook,
    /// The priority among the chains of that hook; lower comes first.
    pub priority: i32,
}

impl BaseChain<'static> {
    /// The chain `PREROUTING` of the table `nat`, as iptables creates it:
    /// `type nat hook prerouting priority dstnat`
    pub const NAT_PREROUTING: BaseChain<'static> =
        BaseChain { chain_type: "nat", hook: Hook::Prerouting, priority: -100 };
    /// A chain that sees the first packet of a flow just before that one does:
    /// `type nat hook prerouting priority dstnat - 1`
    pub const BEFORE_NAT_PREROUTING: BaseChain<'static> =
        BaseChain { chain_type: "nat", hook: Hook::Prerouting, priority: -101 };
    /// A chain that sees what comes in just after it was translated there:
    /// `type filter hook prerouting priority dstnat + 1`
    pub const AFTER_NAT_PREROUTING: BaseChain<'static> =
        BaseChain { chain_type: "filter", hook: Hook::Prerouting, priority: -99 };
    /// A chain that sees what is delivered on this host, before the chains of the table `filter`:
    /// `type filter hook input priority mangle`
    pub const INPUT: BaseChain<'static> =
        BaseChain { chain_type: "filter", hook: Hook::Input, priority: -150 };
    /// A chain that sees what is forwarded, before the chains of the table `filter`:
    /// `type filter hook forward priority mangle`
    pub const FORWARD: BaseChain<'static> =
        BaseChain { chain_type: "filter", hook: Hook::Forward, priority: -150 };
}

/// `type nat hook prerouting priority dstnat - 1`, as `nft list ruleset` prints it.
impl fmt::Display for BaseChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BaseChain { chain_type, hook, priority } = *self;
        write!(f, "type {chain_type} hook {hook} priority {}", Priority(priority, hook))
    }
}

/// nft's names of priorities in the families `ip`, `ip6` and `inet`.
const PRIORITIES: [(i32, &str); 6] = [
    (-300, "raw"),
    (-150, "mangle"),
    (-100, "dstnat"),
    (0, "filter"),
    (50, "security"),
    (100, "srcnat"),
];

/// How far from a named priority nft still prints it as that name and an offset.
const OFFSET_MAX: u32 = 10;

/// A priority at a hook, as nft prints it.
struct Priority(i32, Hook);

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Priority(priority, hook) = *self;
        let is_near = |(named, _): &(i32, &str)| priority.abs_diff(*named) <= OFFSET_MAX;
        let named = PRIORITIES.into_iter().find(is_near).filter(|(_, name)| match *name {
            "dstnat" => hook == Hook::Prerouting,
            "srcnat" => hook == Hook::Postrouting,
            _ => true,
        });
        match named {
            None => write!(f, "{priority}"),
            Some((named, name)) if named == priority => f.write_str(name),
            Some((named, name)) if named < priority => write!(f, "{name} + {}", priority - named),
            Some((named, name)) => write!(f, "{name} - {}", named - priority),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_chain_prints_as_nft_prints_it() {
        let text = |chain_type, hook: u32, priority| {
            BaseChain { chain_type, hook: hook.into(), priority }.to_string()
        };
        // What nft 1.0.6 lists for chains of these types, hooks and priorities.
        for (chain_type, hook, priority, expected) in [
            ("nat", 0, -101, "type nat hook prerouting priority dstnat - 1"),
            ("nat", 0, -100, "type nat hook prerouting priority dstnat"),
            ("filter", 0, -99, "type filter hook prerouting priority dstnat + 1"),
            ("filter", 1, -150, "type filter hook input priority mangle"),
            ("filter", 2, -150, "type filter hook forward priority mangle"),
            ("filter", 3, -100, "type filter hook output priority -100"),
            ("nat", 4, 100, "type nat hook postrouting priority srcnat"),
            ("filter", 1, 100, "type filter hook input priority 100"),
            ("filter", 1, 11, "type filter hook input priority 11"),
            ("filter", 1, -10, "type filter hook input priority filter - 10"),
            ("filter", 3, 51, "type filter hook output priority security + 1"),
            ("filter", 3, -310, "type filter hook output priority raw - 10"),
            ("filter", 3, -311, "type filter hook output priority -311"),
            ("route", 3, 95, "type route hook output priority 95"),
            ("filter", 4, 95, "type filter hook postrouting priority srcnat - 5"),
        ] {
            assert_eq!(text(chain_type, hook, priority), expected);
        }
        assert_eq!(text("filter", 9, i32::MIN), "type filter hook 9 priority -2147483648");
    }

    #[test]
    fn every_number_is_a_hook() {
        for number in [0, 1, 2, 3, 4, 5, u32::MAX] {
            assert_eq!(Hook::from(number).number(), number);
        }
    }
}
