//! k
#![allow(clippy::panic, clippy::unwrap_used)]
#[path = "../support/mod.rs"]
mod support;
#[test]
fn versions() {
    let ns = support::Namespace::new();
    for i in support::Iptables::all() {
        println!("{}", i.run(&ns, &["iptables", "-V"]));
    }
}
