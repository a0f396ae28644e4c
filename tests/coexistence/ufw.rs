//! A real ufw.

use std::process::Command;

use tempfile::TempDir;

use super::document::recipe;
use super::site::{POLICY, Site};
use super::support::{Answer, Topology, apply};

/// Runs commands with a copy of ufw's configuration in place of the machine's.
struct Ufw<'a> {
    site: &'a Site,
    directory: TempDir,
}

/// The first argument is the copy, the others are a command.
const SCRIPT: &str = r#"set -e
mount --bind "$0" /etc/ufw
mount -t tmpfs tmpfs /run
exec "$@""#;

impl Ufw<'_> {
    fn new(site: &Site) -> Ufw<'_> {
        let directory = TempDir::with_prefix("dwnl-ufw-").expect("a directory");
        let copied = Command::new("cp").args(["-a", "/etc/ufw/."]).arg(directory.path()).status();
        assert!(copied.expect("cp").success(), "run scripts/setup");
        Ufw { site, directory }
    }

    #[track_caller]
    fn run(&self, command: &[&str]) {
        let directory = self.directory.path().to_string_lossy().into_owned();
        let enter = ["unshare", "--mount", "sh", "-c", SCRIPT, &directory];
        self.site.host().run(&[&enter[..], command].concat());
    }
}

#[test]
fn the_policy_decides_and_ufw_does_not_see_published_ports() {
    let site = Site::new();
    let ufw = Ufw::new(&site);
    ufw.run(&["ufw", "--force", "enable"]);
    ufw.run(&["ufw", "deny", "8080/tcp"]);
    assert_eq!(site.answer(Topology::REFUSED), Answer::Answered, "ufw's deny does not help");
    // Positive control: what it does see, over IPv6 through docker-proxy, it drops.
    assert_eq!(site.answer(Topology::ALLOWED6), Answer::TimedOut);

    site.protect();
    assert_eq!(site.found("ufw").as_deref(), Some("note"));
    for command in [&["ufw", "delete", "deny", "8080/tcp"][..], &["ufw", "reload"]] {
        ufw.run(command);
        site.decides();
        site.is_in_sync();
    }

    assert_eq!(site.answer(Topology::ALLOWED6), Answer::TimedOut);
    ufw.run(&["sh", "-ec", &recipe("ufw", "sh")]);
    site.decides_on_ipv6();
    site.decides();
    site.is_in_sync();
    ufw.run(&["ufw", "--force", "disable"]);
    site.decides();
    site.decides_on_ipv6();
}

/// ufw-docker drops what the policy allows, as `doctor` says.
#[test]
fn ufw_docker_drops_what_the_policy_allows() {
    let site = Site::new();
    site.protect();
    site.load("ufw-docker.rules");
    assert_eq!(site.answer(Topology::ALLOWED), Answer::TimedOut);
    assert_eq!(site.found("ufw_docker").as_deref(), Some("warning"));
    apply(site.host(), POLICY);
    assert_eq!(site.answer(Topology::ALLOWED), Answer::TimedOut);
}
