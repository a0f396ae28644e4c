//! Files that replace rules at boot: `/etc/nftables.conf`, and the rules of netfilter-persistent.

use std::fs;

use tempfile::TempDir;

use super::document::recipe;
use super::site::{POLICY, Site};
use super::support::plan;

/// Loads a file as nftables.service does.
fn load(site: &Site, directory: &TempDir, text: &str) {
    let path = directory.path().join("nftables.conf");
    fs::write(&path, text).expect("to write");
    site.host().run(&["nft", "-f", &path.to_string_lossy()]);
}

#[test]
fn the_recipe_for_nftables_replaces_its_own_table_alone() {
    let site = Site::new();
    site.protect();
    let directory = TempDir::new().expect("a directory");
    for _ in 0..2 {
        load(&site, &directory, &recipe("nftables.service", "nft"));
        site.decides();
        site.is_in_sync();
    }
    let rules = site.host().run(&["nft", "list", "table", "inet", "host"]);
    assert_eq!(rules.matches("tcp dport 22").count(), 1, "{rules}");
    // Positive control: what the recipe replaces.
    load(&site, &directory, "flush ruleset\n");
    assert_eq!(plan(site.host(), POLICY)["has_changes"], true);
}

#[test]
fn the_recipe_for_saved_rules_leaves_nothing_of_docker() {
    let site = Site::new();
    site.protect();
    let directory = TempDir::new().expect("a directory");
    site.host().run(&["iptables", "-A", "INPUT", "-p", "tcp", "--dport", "23", "-j", "DROP"]);
    let path = directory.path().to_string_lossy().into_owned();
    for (save, file) in [("iptables-save", "rules.v4"), ("ip6tables-save", "rules.v6")] {
        let saved = site.host().run(&[save]);
        assert!(saved.contains("-A DOCKER-BLOCK"), "{saved}");
        fs::write(directory.path().join(file), saved).expect("to write");
    }
    site.shell(&recipe("netfilter-persistent", "sh").replace("/etc/iptables", &path));
    for (restore, file) in [("iptables-restore", "rules.v4"), ("ip6tables-restore", "rules.v6")] {
        let left = fs::read_to_string(directory.path().join(file)).expect("to read");
        assert!(!left.contains("DOCKER") && !left.contains("docker0"), "{left}");
        let path = directory.path().join(file);
        site.host().run(&[restore, "--test", &path.to_string_lossy()]);
    }
    let left = fs::read_to_string(directory.path().join("rules.v4")).expect("to read");
    assert!(left.contains("--dport 23 -j DROP"), "{left}");
}
