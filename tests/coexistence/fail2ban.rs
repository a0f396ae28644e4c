//! A real fail2ban, and the rules of CrowdSec's bouncer.

use std::fs;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::document::{recipe, recipes};
use super::site::Site;
use super::support::{Answer, Topology, companion, dwnl, wait_for};

/// A server with one jail, `web`. It is killed on drop.
struct Fail2ban<'a> {
    site: &'a Site,
    server: Child,
    directory: TempDir,
}

impl Fail2ban<'_> {
    /// Starts a server with these lines in `jail.local`.
    fn start<'a>(site: &'a Site, lines: &str) -> Fail2ban<'a> {
        let directory = TempDir::with_prefix("dwnl-fail2ban-").expect("a directory");
        let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
        let copied = Command::new("cp").args(["-a", "/etc/fail2ban", &path("etc")]).status();
        assert!(copied.expect("cp").success(), "run scripts/setup");
        // The action that the package installs, with the program under test.
        let action = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/fail2ban/dwnl.conf");
        let action = fs::read_to_string(action).expect("the action");
        let action =
            action.replace("dwnl --quiet", concat!(env!("CARGO_BIN_EXE_dwnl"), " --quiet"));
        fs::write(path("etc/action.d/dwnl.conf"), action).expect("to write");
        fs::remove_dir_all(path("etc/jail.d")).expect("to remove the jails of the distribution");
        let jail = format!(
            "{lines}enabled = true\nbackend = polling\nlogpath = {}\nfilter = sshd\n",
            path("log")
        );
        fs::write(path("etc/jail.local"), jail).expect("to write");
        fs::write(path("log"), "").expect("to write");
        // The machine's database would restore the bans of other tests.
        fs::write(path("etc/fail2ban.local"), "[DEFAULT]\ndbfile = None\n").expect("to write");
        let server = companion(&site.host().path())
            .args(["fail2ban-server", "-f", "-c", &path("etc"), "-s", &path("socket")])
            .args(["-p", &path("pid"), "--logtarget", &path("server.log")])
            .env("HOME", directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nsenter");
        let fail2ban = Fail2ban { site, server, directory };
        wait_for("the jail", || fail2ban.client(&["status", "web"]).then_some(()));
        fail2ban
    }

    fn client(&self, args: &[&str]) -> bool {
        let socket = self.directory.path().join("socket").to_string_lossy().into_owned();
        let client = ["fail2ban-client", "-s", &socket];
        self.site.host().try_run(&[&client[..], args].concat(), "").status.success()
    }

    /// Bans the client that the policy allows, and waits until one more rule or element names it.
    fn ban(&self) {
        let named = || {
            let rules = self.site.host().run(&["nft", "list", "ruleset"]);
            rules.matches(Topology::ALLOWED).count()
        };
        let before = named();
        assert!(self.client(&["set", "web", "banip", Topology::ALLOWED]));
        wait_for("the ban", || (named() > before).then_some(()));
    }
}

impl Drop for Fail2ban<'_> {
    fn drop(&mut self) {
        let _ = self.server.kill().and_then(|()| self.server.wait());
    }
}

#[test]
fn a_ban_in_input_does_not_reach_published_ports() {
    for action in ["iptables-allports", "nftables-allports"] {
        let site = Site::new();
        site.protect();
        let fail2ban = Fail2ban::start(&site, &format!("[web]\nbanaction = {action}\n"));
        fail2ban.ban();
        assert_eq!(site.answer(Topology::ALLOWED), Answer::Answered, "{action}");
        assert_eq!(site.found("fail2ban").as_deref(), Some("note"), "{action}");
        site.is_in_sync();
    }
}

#[test]
fn the_recipes_ban_on_published_ports() {
    let recipes: Vec<String> = recipes("fail2ban", "ini").collect();
    assert_eq!(recipes.len(), 3);
    // The first one is of dwnl's own action.
    for recipe in &recipes[1..] {
        let site = Site::new();
        site.protect();
        let fail2ban = Fail2ban::start(&site, recipe);
        site.decides();
        fail2ban.ban();
        site.becomes(Topology::ALLOWED, Answer::Refused);
        assert_eq!(site.found("fail2ban").as_deref(), Some("ok"), "{recipe}");
        site.is_in_sync();
        assert!(fail2ban.client(&["set", "web", "unbanip", Topology::ALLOWED]));
        site.decides();
    }
}

#[test]
fn the_action_of_the_package_bans_over_both_ip_versions() {
    let site = Site::new();
    site.protect();
    site.decides_on_ipv6();
    let recipe = recipes("fail2ban", "ini").next().expect("a recipe");
    let fail2ban = Fail2ban::start(&site, &recipe);
    let listed = || dwnl(site.host(), &["grants"], "").succeeded();
    for (source, other) in
        [(Topology::ALLOWED, Topology::ALLOWED6), (Topology::ALLOWED6, Topology::ALLOWED)]
    {
        assert!(fail2ban.client(&["set", "web", "banip", source]));
        wait_for("the ban", || listed().contains(&format!(" {source} ")).then_some(()));
        assert!(listed().contains("fail2ban web"), "{}", listed());
        // IPv4 is forwarded, and IPv6 reaches docker-proxy.
        assert_eq!(site.answer(source), Answer::TimedOut, "{source}");
        assert_eq!(site.answer(other), Answer::Answered);
        assert!(fail2ban.client(&["set", "web", "unbanip", source]));
        site.becomes(source, Answer::Answered);
    }
    assert!(fail2ban.client(&["set", "web", "bantime", "-1"]));
    assert!(fail2ban.client(&["set", "web", "banip", Topology::ALLOWED]));
    wait_for("a ban without an end", || listed().contains("never").then_some(()));
    site.is_in_sync();
}

#[test]
fn the_script_for_the_custom_bouncer_bans() {
    let site = Site::new();
    site.protect();
    let script =
        recipe("CrowdSec", "sh").replace("exec dwnl", concat!("exec ", env!("CARGO_BIN_EXE_dwnl")));
    // As the bouncer calls it: the value, the seconds, the reason and the decision.
    let decision = r#"{"duration":"3h59m57s","origin":"crowdsec","scope":"Ip","type":"ban"}"#;
    let call = |verb: &str| {
        let args = [verb, Topology::ALLOWED, "14397", "crowdsecurity/ssh-bf", decision];
        site.host().run(&[&["sh", "-c", &script, "bouncer"], &args[..]].concat());
    };
    call("add");
    assert_eq!(site.answer(Topology::ALLOWED), Answer::TimedOut);
    assert!(dwnl(site.host(), &["grants"], "").succeeded().contains("in 3h 59m"));
    call("del");
    site.decides();
}

/// The bouncer's rules for the hooks of the recipe, one chain each.
#[test]
fn crowdsec_needs_the_hook_forward() {
    let site = Site::new();
    site.protect();
    site.load("crowdsec-input.nft");
    assert_eq!(site.answer(Topology::ALLOWED), Answer::Answered, "a ban without effect");
    assert_eq!(site.found("crowdsec").as_deref(), Some("warning"));

    site.host().run(&["nft", "delete", "table", "ip", "crowdsec"]);
    site.load("crowdsec.nft");
    let recipe = recipe("CrowdSec", "yaml");
    let hooks: Vec<&str> = recipe.lines().filter_map(|line| line.strip_prefix("  - ")).collect();
    let rules = site.host().run(&["nft", "list", "table", "ip", "crowdsec"]);
    assert_eq!(rules.matches("chain crowdsec-chain-").count(), hooks.len());
    for hook in hooks {
        assert!(rules.contains(&format!("chain crowdsec-chain-{hook} ")), "{rules}");
    }
    assert_eq!(site.answer(Topology::ALLOWED), Answer::TimedOut);
    assert_eq!(site.found("crowdsec").as_deref(), Some("ok"));
    site.is_in_sync();
}
