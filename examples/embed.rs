//! An appliance that embeds the engine: it makes a policy, looks at the plan and commits it.
//! It works in a network namespace of its own, so that it can be run anywhere:
//! `cargo run --example embed`.

use std::error::Error;
use std::path::Path;

use dwnl::{Engine, Policy, compile};
use nix::sched::{CloneFlags, unshare};

const POLICY: &str = r#"
    [[allow]]
    name  = "web"
    ports = ["443/tcp"]
    from  = ["192.0.2.0/24", "2001:db8::7"]
"#;

fn main() -> Result<(), Box<dyn Error>> {
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;

    // Every error of the text comes back at once, each with its line and column.
    let policy = Policy::parse(POLICY, "built-in policy", Path::new("."))?;
    let desired = compile(&policy);

    // Step by step: the plan can be looked at before anything happens, and is committed only
    // while the kernel's ruleset is the one that it was made from.
    let mut engine = Engine::open()?;
    let plan = engine.plan(&desired)?;
    println!("{} rules to add, {} to remove", plan.added(), plan.removed());
    engine.commit(&plan)?;

    // In one call, with retries, and with the conntrack entries of existing flows.
    let applied = engine.apply_policy(&policy)?;
    assert!(applied.outcome.plan.is_empty());
    println!("{} rejected flows cleared", applied.conntrack?.cleared);

    let outcome = engine.remove()?;
    assert_eq!(outcome.plan.removed(), plan.added());
    Ok(())
}
