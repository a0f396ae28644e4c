//! Where rules log packets to.

use std::fmt;

/// Where a rule logs packets to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogTarget {
    /// The kernel's log, as lines of level `info`. A network namespace other than the host's needs
    /// `net.netfilter.nf_log_all_netns=1`.
    Kernel,
    /// The programs that listen to this group of NFLOG (nfnetlink_log), such as ulogd.
    Nflog(u16),
}

/// As a policy writes it: `kernel`, `nflog:5`.
impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogTarget::Kernel => f.write_str("kernel"),
            LogTarget::Nflog(group) => write!(f, "nflog:{group}"),
        }
    }
}
