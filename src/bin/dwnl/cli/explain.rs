//! `dwnl explain`: whether a source gets in at a port, and why.

use std::process::ExitCode;

use dwnl::explain::{Question, Verdict};
use dwnl::policy::LoadedPolicy;

use super::Console;
use super::args::ExplainArgs;
use super::commands::{look_up, names_store, open, state_options};
use crate::lookup::{Freshness, Names};
use crate::report::{Explain, PolicyRead};

/// The exit status if the source does not get in.
const REFUSED: u8 = 3;
/// The exit status if it cannot be told.
const UNKNOWN: u8 = 4;

/// Prints the explanation. Changes nothing.
pub fn explain(args: &ExplainArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let path = args.policy.path();
    // Without a valid policy there is still the kernel to look at.
    let mut read = LoadedPolicy::load_from(path, args.policy.base_directory()).policy;
    // What is stored cannot be read with CAP_NET_ADMIN alone.
    if let Ok(policy) = &mut read {
        let store = names_store(policy, &args.state, &args.namespace);
        let known = Names::default().resolve(policy.clone(), store.as_ref(), Freshness::Known);
        let (resolved, unresolved) = known?;
        let (completed, doubts) = look_up(&resolved, state_options(&args.state, &args.namespace));
        console.warn(&[unresolved, doubts].concat());
        *policy = completed;
    }
    let mut engine = open(args.namespace.path())?;
    let question = Question {
        source: args.source,
        destination: args.destination,
        protocol: args.port.protocol(),
        port: args.port.first(),
        in_interface: args.in_interface.as_deref().map(Into::into),
    };
    let progress = console.progress("following the packet through the rules");
    let explained = engine.explain(read.as_ref().ok(), &question)?;
    drop(progress);
    let policy = PolicyRead::new(path, read.as_ref().err());
    console.report(&Explain::new(&explained, policy, console.verbose()))?;
    Ok(match explained.explanation.verdict {
        Verdict::Allowed(_) => ExitCode::SUCCESS,
        Verdict::Refused(_) => ExitCode::from(REFUSED),
        _ => ExitCode::from(UNKNOWN),
    })
}
