//! The generation ID of the ruleset, which reveals a commit without a listener: for a listener the
//! kernel would build a message for each element of a commit, which would be measured too.

use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::libc;
use nix::sys::socket::{MsgFlags, recv, send};

use super::{encode, netlink_socket};

/// A socket that queries the generation ID of the namespace in which it was opened.
pub struct Generation(OwnedFd);

impl Generation {
    pub fn open() -> Result<Generation> {
        Ok(Generation(netlink_socket()?))
    }

    /// The current generation ID.
    pub fn get(&self) -> Result<u32> {
        let kind = (libc::NFNL_SUBSYS_NFTABLES << 8 | libc::NFT_MSG_GETGEN) as u16;
        let request = encode(kind, 0, [0; 4], &[]);
        send(self.0.as_raw_fd(), &request, MsgFlags::empty())?;
        let mut answer = [0; 256];
        recv(self.0.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        // After both headers and that of the first attribute, `NFTA_GEN_ID`.
        let number = answer.get(24..28).context("a short answer")?;
        Ok(u32::from_be_bytes(number.try_into()?))
    }
}
