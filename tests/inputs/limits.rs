//! The memory that a policy may take.

use std::fs;

use tempfile::TempDir;

use super::support::{Output, output};
use super::text;

/// 512 MiB of address space.
const LIMIT: &str = "--as=536870912";

/// Runs dwnl with this policy within [`LIMIT`], in a network namespace of its own.
fn limited(command: &str, policy: &str, list: &str) -> Output {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("policy.toml");
    fs::write(&path, policy).expect("a policy");
    fs::write(directory.path().join("list.txt"), list).expect("a list");
    let dwnl = [env!("CARGO_BIN_EXE_dwnl"), command, "-q", "-f", text(&path)];
    output(&[&["unshare", "-n", "prlimit", LIMIT], &dwnl[..]].concat(), "")
}

fn quoted(values: impl Iterator<Item = String>) -> String {
    values.map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(", ")
}

/// An entry with so many ports, and hosts as sources and destinations.
fn entry(ports: u16, sources: u8, destinations: u8) -> String {
    format!(
        "[[allow]]\nname = \"large\"\nports = [{}]\nfrom = [{}]\nto = [{}]\n",
        quoted((1..=ports).map(|port| port.to_string())),
        quoted((1..=sources).map(|host| format!("192.0.2.{host}"))),
        quoted((1..=destinations).map(|host| format!("203.0.113.{host}"))),
    )
}

#[test]
fn an_entry_that_explodes_is_an_error_that_names_it() {
    let policy = entry(60_000, 60, 60);
    for command in ["check", "rules", "plan", "apply"] {
        let errors = limited(command, &policy, "").failed(2);
        let message = "policy.toml:1:1: entry `large` needs 216,000,000 rules: 60,000 ports × \
                       60 sources × 60 destinations; a policy may need at most 65,536";
        assert!(errors.contains(message), "{errors}");
        assert!(errors.contains("help: write consecutive ports as a range"), "{errors}");
    }
}

/// Many entries that are small by themselves.
#[test]
fn the_entries_are_counted_together() {
    let entries = entry(100, 60, 10).replace("name = \"large\"\n", "").repeat(2);
    let errors = limited("check", &entries, "").failed(2);
    assert!(errors.contains("an entry without a name needs 60,000 rules"), "{errors}");
}

#[test]
fn the_largest_policy_fits_into_the_memory() {
    limited("apply", &entry(1_092, 60, 1), "").succeeded();
}

#[test]
fn the_largest_list_fits_into_the_memory() {
    let list: String = (0..1_000_000_u32)
        .map(|n| format!("{}\n", std::net::Ipv4Addr::from(n.wrapping_mul(2_654_435_761))))
        .collect();
    let policy = "[sources]\nlist = { file = \"list.txt\" }\n\n\
                  [[allow]]\nports = [\"443\"]\nfrom = [\"list\"]\n";
    limited("apply", policy, &list).succeeded();
    let errors = limited("apply", policy, &(list + "2001:db8::1\n")).failed(2);
    assert!(errors.contains("list.txt:1000001:1: the source files of this policy"), "{errors}");
}

/// TOML takes far more memory when it is parsed than as text.
#[test]
fn the_largest_file_fits_into_the_memory() {
    let size = (4 << 20) - 100;
    let empty = format!("a = [{}]\n", "[],".repeat(size / 3));
    let entries = "[[allow]]\n".repeat(size / 10);
    let ports = format!("[[allow]]\nports = [{}]\n", "\"1\",".repeat(size / 4));
    for policy in [empty, entries, ports] {
        let output = limited("check", &policy, "");
        assert!(matches!(output.status.code(), Some(0 | 2)), "{output}");
    }
}
