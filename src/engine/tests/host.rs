//! What is read of the host beside its ruleset.

use super::*;
use crate::ruleset::HostState;

/// An engine before a host that answers questions for its sockets so, and what it is asked of them.
fn engine_before_sockets(noise: Noise) -> (Engine, Requests) {
    let sockets = Kernel { noise, ..Kernel::new(7) };
    let requests = Arc::clone(&sockets.requests);
    let mute = || Box::new(Kernel { noise: Noise::Mute, ..Kernel::new(7) });
    let routes = Kernel::new(7);
    (Engine::over([mute(), mute()], Box::new(routes), Box::new(sockets)), requests)
}

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: i32 = 20;

#[test]
fn each_protocol_is_asked_for_in_each_family() {
    let (mut engine, requests) = engine_before_sockets(Noise::None);
    let empty = HostState { listeners: Some(Vec::new()), ..HostState::default() };
    assert_eq!(engine.host_state().expect("the state"), empty);
    assert_eq!(count(&requests, BY_FAMILY), 6);
}

#[test]
fn an_interrupted_dump_is_taken_again() {
    let (mut engine, requests) = engine_before_sockets(Noise::Interrupted);
    assert!(engine.host_state().expect("the state").listeners.is_some());
    assert_eq!(count(&requests, BY_FAMILY), 7);
}

#[test]
fn a_kernel_that_cannot_list_sockets_is_no_error() {
    let (mut engine, _) = engine_before_sockets(Noise::Errno(libc::ENOENT));
    assert_eq!(engine.host_state().expect("the state").listeners, None);
}

#[test]
fn any_other_failure_is_an_error() {
    let (mut engine, _) = engine_before_sockets(Noise::Errno(libc::ENOMEM));
    let error = engine.host_state().expect_err("an error").to_string();
    assert!(error.starts_with("netlink: reading the listening sockets: "), "{error}");
}
