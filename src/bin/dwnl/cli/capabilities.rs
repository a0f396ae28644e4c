//! Capabilities: those that a command needs are checked first, and those that it no longer needs
//! are dropped as soon as the socket is open.

use std::path::Path;

use anyhow::{Context, bail};
use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl;

/// Checks for CAP_NET_ADMIN, and for CAP_SYS_ADMIN if another network namespace must be entered.
pub fn require_capabilities(namespace: Option<&Path>) -> anyhow::Result<()> {
    if !is_effective(Capability::CAP_NET_ADMIN)? {
        bail!(
            "CAP_NET_ADMIN is required to read or change firewall rules; run dwnl as root, or set \
             AmbientCapabilities=CAP_NET_ADMIN in its systemd unit"
        );
    }
    if let Some(path) = namespace
        && !is_effective(Capability::CAP_SYS_ADMIN)?
    {
        bail!(
            "CAP_SYS_ADMIN is required to enter network namespace {}; run dwnl as root, or run it \
             in that namespace without --netns",
            path.display()
        );
    }
    Ok(())
}

/// Drops every capability except CAP_NET_ADMIN permanently, for the calling thread and the threads
/// that it starts.
pub fn keep_net_admin() -> anyhow::Result<()> {
    let kept = CapsHashSet::from([Capability::CAP_NET_ADMIN]);
    drop_all_but(&kept).context("cannot drop capabilities")?;
    prctl::set_no_new_privs().context("cannot set no_new_privs")
}

/// Drops every capability permanently, for the calling thread and those that it starts.
pub fn drop_all() -> anyhow::Result<()> {
    drop_all_but(&CapsHashSet::new()).context("cannot drop capabilities")?;
    prctl::set_no_new_privs().context("cannot set no_new_privs")
}

fn drop_all_but(kept: &CapsHashSet) -> anyhow::Result<()> {
    if is_effective(Capability::CAP_SETPCAP)? {
        for capability in caps::all().difference(kept) {
            // The kernel may not know one that is newer than itself.
            let dropped = caps::drop(None, CapSet::Bounding, *capability);
            if dropped.is_err()
                && caps::has_cap(None, CapSet::Bounding, *capability).unwrap_or(false)
            {
                dropped?;
            }
        }
    }
    caps::clear(None, CapSet::Ambient)?;
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Effective, kept)?;
    caps::set(None, CapSet::Permitted, kept)?;
    Ok(())
}

fn is_effective(capability: Capability) -> anyhow::Result<bool> {
    caps::has_cap(None, CapSet::Effective, capability).context("cannot read capabilities")
}
