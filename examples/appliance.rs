//! An appliance: puts a policy in force, prints what each entry admitted, and keeps the rules as they
//! should be. Another engine stands in for a program that removes them. It runs in a network namespace
//! of its own: `cargo run --example appliance`.

use std::error::Error;
use std::ops::ControlFlow;

use dwnl::model::AddressSpec;
use dwnl::policy::Allow;
use dwnl::reconcile::{ReconcileEvent, Reconciler};
use dwnl::{Engine, Policy};
use nix::sched::{CloneFlags, unshare};

fn main() -> Result<(), Box<dyn Error>> {
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    let office: AddressSpec = "192.0.2.0/24".parse()?;
    let web = Allow::builder(["443/tcp".parse()?]).name("web").sources([office]).build()?;
    let policy = Policy::builder().allow(web).build()?;

    let mut reconciler = Reconciler::open()?;
    let applied = reconciler.set_policy(policy)?;
    println!("{} rules added", applied.outcome.plan.added());
    for entry in reconciler.counters()?.entries {
        println!("{}: {} packets", entry.name.as_deref().unwrap_or("unnamed"), entry.packets);
    }

    Engine::open()?.remove()?;
    reconciler.run(|event| match event {
        ReconcileEvent::Repaired(repair) => {
            println!("{} rules restored", repair.applied.outcome.plan.added());
            ControlFlow::Break(()) // A real appliance continues.
        }
        event => {
            println!("{event:?}");
            ControlFlow::Continue(())
        }
    })?;
    Ok(())
}
