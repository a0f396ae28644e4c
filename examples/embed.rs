//! Applies a policy step by step, and in one call. It runs in a network namespace of its own:
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

    // The error lists every mistake in the text, each with its line and column.
    let policy = Policy::parse(POLICY, "built-in policy", Path::new("."))?;

    // Step by step. Look at the plan before anything happens. It can be committed only while the
    // kernel's ruleset is at the generation that the plan was made from.
    let mut engine = Engine::open()?;
    let plan = engine.plan(&compile(&policy))?;
    println!("{} rules to add, {} to remove", plan.added(), plan.removed());
    engine.commit(&plan)?;

    // In one call: with retries while other programs change the ruleset, and with the conntrack
    // entries of existing flows. Nothing is left to do for the rules.
    let applied = engine.apply_policy(&policy)?;
    assert!(applied.outcome.plan.is_empty());
    println!("{} rejected flows cleared", applied.conntrack?.cleared);

    let outcome = engine.remove()?;
    assert_eq!(outcome.plan.removed(), plan.added());
    Ok(())
}
