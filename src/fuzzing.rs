//! What the fuzz targets call: the readers of everything that others wrote, with what has to hold
//! of their results. Only there with `--cfg fuzzing`, and no part of the library's interface.

#![allow(clippy::missing_panics_doc, clippy::expect_used)]

#[cfg(feature = "dns")]
pub use crate::dns::fuzzing::reply as dns;
pub use crate::engine::fuzzing::{answer, notice, snapshot};
use crate::model::{
    Hook, KernelBase, KernelChain, KernelRuleset, KernelTable, Protocol, Snapshot, TablePath,
};
use crate::netlink;
pub use crate::netlink::fuzzing::{link, listener, object, rule};
use crate::policy::fuzzing;
use crate::policy::{Diagnostics, Policy};
use crate::simulate::{HostView, Outcome, Probe, Route, simulate};
use crate::state;
pub use crate::trace::fuzzing::trace;
use crate::{Plan, compile, resolve};

/// The data are a policy.
pub fn policy(data: &[u8]) {
    check(fuzzing::policy(data));
}

/// The data are a source list.
pub fn source_list(data: &[u8]) {
    check(fuzzing::source_list(data));
}

/// The data are a path, and below it a source list in JSON.
pub fn json_list(data: &[u8]) {
    check(fuzzing::json_list(data));
}

/// The data are a stored policy, or one without its first line.
pub fn stored(data: &[u8]) {
    for read in state::fuzzing::read(data) {
        match read.map(|stored| state::fuzzing::policy(&stored)) {
            Ok(Ok(_)) => {}
            Ok(Err(errors)) => check_text(&errors.to_string()),
            Err(error) => check_text(&error.to_string()),
        }
    }
}

/// The data are rules of any program: see `kernel_rules`. They can be printed, and packets of both
/// versions of IP end somewhere.
pub fn simulated(data: &[u8]) {
    let Some((family, rules)) = netlink::fuzzing::kernel_rules(data) else { return };
    rules.iter().for_each(|rule| check_text(&format!("{rule} ")));
    let table = TablePath { family, table: "fuzzed".into() };
    let chain = |(chain_type, hook, priority): (&str, Hook, i32)| {
        let base = KernelBase { chain_type: chain_type.into(), hook, priority, drops: false };
        KernelChain { handle: 1, base: Some(base), rules: rules.clone() }
    };
    let places = [
        ("filter", Hook::Prerouting, -300),
        ("nat", Hook::Prerouting, -100),
        ("filter", Hook::Input, 0),
    ];
    let chains = places.map(chain).into_iter().enumerate();
    let chains = chains.map(|(number, chain)| (number.to_string().into(), chain)).collect();
    let tables = [(table, KernelTable { chains, ..KernelTable::default() })].into();
    let ruleset = KernelRuleset { generation: 1, tables };
    let host =
        HostView { links: &[], local: &[], route: &|_| Route::Local, sockets: None, now: None };
    for (source, destination) in [("192.0.2.2", "192.0.2.1"), ("2001:db8::2", "2001:db8::1")] {
        let address = |text: &str| text.parse().expect("an address");
        let probe = Probe {
            protocol: Protocol::Tcp,
            source: address(source),
            source_port: None,
            destination: address(destination),
            port: 80,
            in_interface: "eth0".into(),
        };
        let simulation = simulate(&ruleset, &host, &probe);
        if let Outcome::Dropped(step) | Outcome::Rejected(step) = simulation.outcome {
            assert!(step < simulation.steps.len(), "{simulation:?}");
        }
    }
}

/// A policy that was accepted compiles, and can be printed and planned. Errors can be printed.
fn check(read: Result<Policy, Diagnostics>) {
    match read {
        Ok(policy) => {
            let desired = compile(&policy);
            for desired in desired.chains.iter().flat_map(|chain| chain.rules.iter()) {
                check_text(&desired.rule.to_string());
            }
            let snapshot = Snapshot::default();
            let resolved = resolve(&desired, &snapshot).expect("a ruleset");
            let plan = Plan::diff(&resolved, &snapshot).expect("a plan");
            assert!(!plan.is_empty());
        }
        Err(errors) => check_text(&errors.to_string()),
    }
}

/// There is something to read, and it does nothing to a terminal.
pub(crate) fn check_text(text: &str) {
    let is_harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    assert!(!text.is_empty() && text.chars().all(is_harmless), "{text:?}");
}
