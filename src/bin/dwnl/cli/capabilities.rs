//! Capabilities: those that a command needs are checked first, and those that it no longer needs
//! are dropped as soon as the socket is open.

use std::path::Path;

use anyhow::{Context, bail};
use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl;
use nix::unistd::geteuid;

/// Checks for CAP_NET_ADMIN, and for CAP_SYS_ADMIN if another network namespace must be entered.
pub fn require_capabilities(namespace: Option<&Path>) -> anyhow::Result<()> {
    if !is_effective(Capability::CAP_NET_ADMIN)? {
        let advice = Place::current()?.advice();
        bail!("CAP_NET_ADMIN is required to read or change firewall rules; {advice}");
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

/// Where the program runs, as far as it decides how to get CAP_NET_ADMIN.
#[derive(Clone, Copy)]
enum Place {
    Host,
    Container,
    /// In a container that has the capability, as a user who has not. Docker gives added capabilities
    /// to root alone: it sets no ambient ones.
    ContainerUser,
}

impl Place {
    fn current() -> anyhow::Result<Place> {
        // The command of a container is process 1, unless it has an init of its own. Docker and podman
        // create these files.
        let is_container = std::process::id() == 1
            || ["/.dockerenv", "/run/.containerenv"].iter().any(|it| Path::new(it).exists());
        let is_permitted = caps::has_cap(None, CapSet::Bounding, Capability::CAP_NET_ADMIN)
            .context("cannot read capabilities")?;
        Ok(match (is_container, is_permitted && !geteuid().is_root()) {
            (false, _) => Place::Host,
            (true, false) => Place::Container,
            (true, true) => Place::ContainerUser,
        })
    }

    fn advice(self) -> &'static str {
        match self {
            Place::Host => {
                "run dwnl as root, or set AmbientCapabilities=CAP_NET_ADMIN in its systemd unit"
            }
            Place::Container => "start this container as root and with `--cap-add NET_ADMIN`",
            Place::ContainerUser => {
                "this container has it, but only for root: start it with `--user 0`, and with \
                 `--cap-drop ALL --cap-add NET_ADMIN`, so that root has no other capability"
            }
        }
    }
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
