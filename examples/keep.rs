//! An appliance that keeps its rules: it hears of what others do to them, and puts it right. Here that
//! is another engine, which takes everything out. It works in a network namespace of its own, so that
//! it can be run anywhere: `cargo run --example keep`.

use std::error::Error;
use std::os::fd::AsFd;

use dwnl::engine::MonitorEvent;
use dwnl::{Engine, Policy, compile};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};

fn main() -> Result<(), Box<dyn Error>> {
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    // Nobody may reach a published port.
    let desired = compile(&Policy::default());

    // First the monitor, then the apply: what happens in between is heard of.
    let mut engine = Engine::open()?;
    let mut monitor = engine.subscribe()?;
    engine.apply(&desired)?;

    let mut other = Engine::open()?;
    other.remove()?;

    loop {
        // A program that waits for other things too has more descriptors here.
        poll(&mut [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
        let mut is_concerned = false;
        for notice in monitor.read()? {
            match notice {
                MonitorEvent::Commit(commit) if !commit.is_relevant() => {}
                MonitorEvent::Commit(commit) => {
                    println!("{commit}");
                    is_concerned = true;
                }
                _ => is_concerned = true,
            }
        }
        if is_concerned {
            let repair = engine.apply(&desired)?.plan;
            println!("{} rules put back, {} taken out", repair.added(), repair.removed());
            // A real one goes on.
            break;
        }
    }
    assert!(other.plan(&desired)?.is_empty());
    Ok(())
}
