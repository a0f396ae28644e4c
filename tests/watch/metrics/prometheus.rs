//! What Prometheus and its tool say of the metrics and the alert rules.

use std::path::Path;

use super::super::support::{Files, Prometheus, Watch, promtool};
use super::super::{host, policy};
use super::answer;

#[test]
fn promtool_finds_no_fault_with_the_metrics() {
    let host = host();
    let (_watch, socket) = Watch::start_with_socket(&host, &policy());
    let text = answer(&socket);
    let checked = promtool(&["check", "metrics"], &text);
    assert_eq!(format!("{}{}", checked.stdout, checked.stderr), "", "{text}");
    assert!(checked.status.success());
    // The tool does find faults.
    assert!(!promtool(&["check", "metrics"], "dwnl_x_count 1\n").status.success());
}

#[test]
fn the_rules_say_what_they_should() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/prometheus");
    let path = |name: &str| directory.join(name).to_string_lossy().into_owned();
    for rules in ["alerts", "recording"] {
        promtool(&["check", "rules", &path(&format!("{rules}.yml"))], "").succeeded();
        promtool(&["test", "rules", &path(&format!("{rules}_test.yml"))], "").succeeded();
    }
}

#[test]
fn a_real_prometheus_scrapes_the_metrics() {
    let host = host();
    let target = "127.0.0.1:9120";
    let _watch = Watch::start_with(&host, Files::new(&policy()), &["--metrics-listen", target]);
    let prometheus = Prometheus::start(&host, target);
    let result = prometheus.result("dwnl_policy_file==1");
    assert_eq!(result[0]["metric"]["state"], "current");
    assert_eq!(result[0]["metric"]["job"], "dwnl");
    let result = prometheus.result("up{job=%22dwnl%22}==1");
    assert_eq!(result[0]["metric"]["instance"], target);
}
