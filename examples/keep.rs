//! Keeps a policy in force from an event loop of your own, which may wait for other things too. It runs
//! in a network namespace of its own: `cargo run --example keep`.

use std::error::Error;
use std::time::Instant;

use dwnl::reconcile::{ReconcileEvent, Reconciler};
use dwnl::{Engine, Policy};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};

fn main() -> Result<(), Box<dyn Error>> {
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    let mut reconciler = Reconciler::open()?;
    // The empty policy blocks every published port.
    reconciler.set_policy(Policy::default())?;
    Engine::open()?.remove()?;

    loop {
        for event in reconciler.tick()? {
            match event {
                ReconcileEvent::Repaired(repair) => {
                    for cause in &repair.causes.causes {
                        println!("repaired, after {}", cause.commit);
                    }
                    return Ok(()); // A real program continues.
                }
                ReconcileEvent::Failed(error) => eprintln!("{error}"),
                _ => {}
            }
        }
        let poll_fd = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut descriptors = reconciler.poll_fds().map(poll_fd).to_vec(); // and others
        let timeout = match reconciler.next_deadline() {
            Some(deadline) => deadline.saturating_duration_since(Instant::now()).try_into()?,
            None => PollTimeout::NONE,
        };
        poll(&mut descriptors, timeout)?;
    }
}
