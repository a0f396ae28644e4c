//! Capabilities: what a verb needs is checked before anything is touched, and all that the rest
//! of the work can do without is given up as soon as the socket is open.

use std::path::Path;

use anyhow::{Context, bail};
use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl;

/// Checks that the kernel part can be done at all: with CAP_NET_ADMIN, and with CAP_SYS_ADMIN if
/// another network namespace has to be entered.
pub fn require_capabilities(namespace: Option<&Path>) -> anyhow::Result<()> {
    if !is_effective(Capability::CAP_NET_ADMIN)? {
        bail!(
            "CAP_NET_ADMIN is missing, without which the kernel lets nobody see or change its \
             rules: run dwnl as root, or give its systemd unit AmbientCapabilities=CAP_NET_ADMIN"
        );
    }
    if let Some(path) = namespace
        && !is_effective(Capability::CAP_SYS_ADMIN)?
    {
        bail!(
            "CAP_SYS_ADMIN is missing, without which the network namespace {} cannot be entered: \
             run dwnl as root, or in that namespace and without --netns",
            path.display()
        );
    }
    Ok(())
}

/// Gives up every capability but CAP_NET_ADMIN, for good. Capabilities belong to a thread: this is
/// for the calling one and those that it starts.
pub fn keep_net_admin() -> anyhow::Result<()> {
    let kept = CapsHashSet::from([Capability::CAP_NET_ADMIN]);
    drop_all_but(&kept).context("cannot give up capabilities")?;
    prctl::set_no_new_privs().context("cannot set no_new_privs")
}

fn drop_all_but(kept: &CapsHashSet) -> anyhow::Result<()> {
    if is_effective(Capability::CAP_SETPCAP)? {
        for capability in caps::read(None, CapSet::Bounding)?.difference(kept) {
            caps::drop(None, CapSet::Bounding, *capability)?;
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
