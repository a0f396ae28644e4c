//! Reloads of a real firewalld.

use super::support::{Firewalld, Watch, apply};
use super::{host, is_in_force, policy, wait_until_in_force};

#[test]
fn reloads_are_repaired() {
    let (host, policy) = (host(), policy());
    let firewalld = Firewalld::start(&host);
    apply(&host, &policy);
    firewalld.reload();
    assert!(!is_in_force(&host, &policy), "no disturbance");

    let watch = Watch::start(&host, &policy);
    let table = firewalld.table();
    for times in 1..=3 {
        firewalld.reload();
        wait_until_in_force(&host, &policy, &format!("the repair after reload {times}"));
    }
    assert_eq!(firewalld.table(), table);
    watch.logged("repaired ip nat ");
    watch.logged("after process ip");
}
