//! Waits for the packets that are on their way through the host.

use std::thread::sleep;
use std::time::Duration;

/// Where the kernel cannot be asked: far longer than a packet is on its way.
const FALLBACK: Duration = Duration::from_millis(50);

/// Waits until each packet that has met the rules of before a commit has passed the last hook of the host.
///
/// A packet passes them in one read-side section of RCU, and `MEMBARRIER_CMD_GLOBAL` (`linux/membarrier.h`)
/// waits for an RCU grace period. Kernels without it, and those with CPUs that have no tick, refuse it.
pub(crate) fn wait_for_packets_under_way() {
    // SAFETY: membarrier takes two integers and no pointers.
    let result = unsafe {
        libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0 as libc::c_int)
    };
    if result != 0 {
        sleep(FALLBACK);
    }
}
