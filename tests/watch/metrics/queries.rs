//! The PromQL of the packaged dashboard and alert rules.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::super::support::{Output, Watch, promtool};
use super::super::{host, policy};
use super::answer;

fn packaged(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The values of a key anywhere in a document.
fn values<'a>(document: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match document {
        Value::Array(items) => items.iter().for_each(|item| values(item, key, found)),
        Value::Object(fields) => {
            found.extend(fields.get(key).and_then(Value::as_str));
            fields.values().for_each(|value| values(value, key, found));
        }
        _ => {}
    }
}

/// The queries of the dashboard, with values for its variables.
fn dashboard() -> Vec<String> {
    let document: Value = serde_json::from_str(&packaged("grafana/dashboard.json")).expect("JSON");
    let mut queries = Vec::new();
    values(&document, "expr", &mut queries);
    let known = |query: &&str| query.replace("$instance", ".*").replace("$__rate_interval", "5m");
    queries.iter().map(known).collect()
}

/// The names of dwnl's metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("dwnl_")).collect()
}

fn check(rules: &str) -> Output {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("rules.yml");
    fs::write(&path, rules).expect("to write");
    promtool(&["check", "rules", &path.to_string_lossy()], "")
}

#[test]
fn the_queries_of_the_dashboard_parse() {
    let rule = |(n, query): (usize, &String)| {
        let query = serde_json::to_string(query).expect("JSON");
        format!("  - {{record: 'q{n}', expr: {query}}}\n")
    };
    let queries = dashboard();
    assert!(queries.len() > 10, "{queries:?}");
    assert!(queries.iter().all(|query| !query.contains('$')), "{queries:?}");
    let rules: String = queries.iter().enumerate().map(rule).collect();
    let rules = format!("groups:\n- name: dashboard\n  rules:\n{rules}");
    check(&rules).succeeded();
    check(&rules.replace("(dwnl", "((dwnl")).failed(1);
}

#[test]
fn dashboard_alerts_and_manual_name_only_metrics_that_exist() {
    let host = host();
    let (_watch, socket) = Watch::start_with_socket(&host, &policy());
    let text = answer(&socket);
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let exported: BTreeSet<&str> = types.filter_map(|line| line.split(' ').next()).collect();
    let queries = dashboard().join("\n");
    let rules = ["alerts", "alerts_test", "recording", "recording_test"];
    let rules = rules.map(|name| packaged(&format!("prometheus/{name}.yml")));
    for text in rules.iter().chain([&queries]) {
        let names = names(text);
        let unknown: Vec<&&str> = names.difference(&exported).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
    // The manual names all of them.
    let manual = packaged("../docs/watch.md");
    let described = names(&manual);
    let missing: Vec<&&str> = exported.difference(&described).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
