//! The number of the ruleset's generation, by which a commit can be seen without listening: for a
//! listener the kernel makes a message of each element of a commit, which would be measured too.

use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::libc;
use nix::sys::socket::{MsgFlags, recv, send};

use super::{encode, netlink_socket};

/// One who asks for the generation in the namespace in which it was made.
pub struct Generation(OwnedFd);

impl Generation {
    pub fn open() -> Result<Generation> {
        Ok(Generation(netlink_socket()?))
    }

    /// The present one.
    pub fn get(&self) -> Result<u32> {
        let kind = (libc::NFNL_SUBSYS_NFTABLES << 8 | libc::NFT_MSG_GETGEN) as u16;
        let request = encode(kind, 0, [0; 4], &[]);
        send(self.0.as_raw_fd(), &request, MsgFlags::empty())?;
        let mut answer = [0; 256];
        recv(self.0.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        // Behind both headers and that of the first attribute, `NFTA_GEN_ID`.
        let number = answer.get(24..28).context("a short answer")?;
        Ok(u32::from_be_bytes(number.try_into()?))
    }
}
