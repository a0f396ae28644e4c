//! What to write instead of an invalid value: the help that belongs to each error of a value.

use crate::model::{AddressError, INTERFACE_NAME_MAX, InterfaceError};
use crate::policy::diag::Issue;
use crate::policy::{Mark, MarkError, NAME_MAX, PolicyError, SelectorError};

impl From<PolicyError> for Issue {
    fn from(error: PolicyError) -> Issue {
        let issue = Issue::new(error.to_string());
        match error {
            PolicyError::EmptyName => issue.help("omit it or give the entry a name"),
            PolicyError::NameTooLong { .. } => issue.help(format!("use at most {NAME_MAX} bytes")),
            PolicyError::ControlCharacter(_) | PolicyError::InvisibleCharacter(_) => {
                issue.help("use visible characters only")
            }
            PolicyError::EmptyGroupName => issue.help("give the group a name"),
            PolicyError::InvalidGroupName(_) => {
                issue.help("choose a name that does not look like an address")
            }
            PolicyError::EmptyGroup(_) => issue.help("`allow-empty = false` makes this an error"),
            PolicyError::EmptyDenied(_) => issue.help(
                "check the source file; `allow-empty = true` in its group says that it may be empty",
            ),
            PolicyError::EmptyPorts => issue.help("write `ports = [\"443/tcp\"]`"),
            PolicyError::EmptyFrom => {
                issue.help("add a group or a source, or omit `from` to match anyone")
            }
            PolicyError::EmptyExcept => issue.help("add a group or a source, or omit `except`"),
            PolicyError::EmptyTo => {
                issue.help("add an address of this host, or omit `to` to match all of them")
            }
            PolicyError::MixedVersions { .. } => {
                issue.help("use sources and destinations of the same IP version")
            }
            PolicyError::NameTakesAccess { .. } => issue.help(
                "while a name cannot be resolved it stands for nobody, and who controls it controls its \
                 addresses: list the addresses",
            ),
            PolicyError::InvalidCgroup(_) => issue
                .help("write the path that `systemctl show -P ControlGroup docker.service` prints"),
            PolicyError::NestedCgroup(_) => {
                issue.help("write the name of a slice or scope, such as \"machine.slice\"")
            }
            PolicyError::EmptySwarmPeers => {
                issue.help("add a group or a source, or omit `swarm-peers`")
            }
            PolicyError::InvalidSocket(_) => issue.help("write a path such as \"/run/docker.sock\""),
            PolicyError::EmptyLabelGroups => {
                issue.help("list the groups under `[sources]` that containers may allow")
            }
            PolicyError::Selector(SelectorError::Name) => {
                issue.help("write the name that `docker ps` shows, such as \"shop-api-1\"")
            }
            PolicyError::Selector(SelectorError::Compose) => {
                issue.help("write the project and the service, as in \"shop/api\"")
            }
            PolicyError::Selector(SelectorError::Label) => {
                issue.help("write the label and its value, as in \"tier=front\"")
            }
            PolicyError::NeedsGuard(key) => {
                issue.help(format!("remove `{key}` or set `enabled = true`"))
            }
            PolicyError::TooManyRules { .. } => issue.help(
                "write consecutive ports as a range and neighbouring addresses as a prefix or range; \
                 a group of 64 sources or more of one IP version needs only a few rules",
            ),
            PolicyError::DuplicateName(_)
            | PolicyError::ConflictingGroups(_)
            | PolicyError::SeveralZones(..) => issue,
        }
    }
}

impl From<MarkError> for Issue {
    fn from(error: MarkError) -> Issue {
        let issue = Issue::new(error.to_string());
        let (meant, example) = match error {
            MarkError::NoBit => (None, Mark::DEFAULT.bits()),
            MarkError::SeveralBits { mark } => (1u32.checked_shl(mark), 1 << mark.ilog2()),
        };
        match (error, meant) {
            (MarkError::SeveralBits { mark }, Some(bit)) => {
                issue.help(format!("set exactly one bit; bit {mark} is {bit:#x}"))
            }
            _ => issue.help(format!("set exactly one bit, such as {example:#x}")),
        }
    }
}

impl From<AddressError> for Issue {
    fn from(error: AddressError) -> Issue {
        let issue = Issue::new(error.to_string());
        match error {
            AddressError::HostBits(network) => {
                let (prefix, address) = (network.prefix(), network.ip());
                let meant = format!("{}/{prefix}", network.network());
                issue.help(format!("write `{meant}` for the network or `{address}` for the host"))
            }
            AddressError::MixedVersions => issue.help("both ends must be of the same IP version"),
            AddressError::Ipv4Mapped(_) => issue.help("write the IPv4 address"),
            AddressError::ReversedRange => issue.help("write the lower address first"),
        }
    }
}

impl From<InterfaceError> for Issue {
    fn from(error: InterfaceError) -> Issue {
        const EXAMPLES: &str = "write a name such as \"eth1\", \"eth+\" or \"!docker0\"";
        let issue = Issue::new(error.to_string());
        match error {
            InterfaceError::Empty | InterfaceError::MatchesEvery => {
                issue.help("omit `in-interface` to match any interface")
            }
            InterfaceError::TooLong { .. } => issue.help(format!(
                "an interface name has at most {INTERFACE_NAME_MAX} bytes, including a `+`"
            )),
            InterfaceError::InnerPlus => issue.help("a `+` belongs at the end, as in \"eth+\""),
            InterfaceError::MatchesNone
            | InterfaceError::Character(_)
            | InterfaceError::Reserved(_) => issue.help(EXAMPLES),
        }
    }
}
