//! Files of the host that show which services are installed, and how other programs are configured.
//! They are read, and no service manager is asked.

use std::fs;
use std::path::Path;

/// Where systemd looks for units.
const UNIT_DIRECTORIES: [&str; 4] =
    ["etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];
/// The text by which a drop-in applies the policy before Docker starts.
const APPLIES: [&str; 2] = ["dwnl/docker-start-pre", "dwnl apply"];

/// What files of the host show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The services; `None` if the host has no systemd.
    pub services: Option<Services>,
    /// Whether `/etc/ufw/ufw.conf` says that ufw is enabled.
    pub enables_ufw: bool,
    /// Whether `firewalld.conf` sets `StrictForwardPorts`.
    pub is_firewalld_strict: bool,
    /// Whether nftables.service is enabled and its configuration begins with `flush ruleset`.
    pub flushes_ruleset: bool,
    /// Whether netfilter-persistent would restore rules of Docker.
    pub restores_docker: bool,
}

/// The services of systemd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// Whether dwnl.service is enabled.
    pub watches: bool,
    /// Whether dwnl-apply.service is enabled.
    pub applies: bool,
    /// Whether docker.service has a drop-in that applies the policy before dockerd starts.
    pub has_drop_in: bool,
}

impl Files {
    /// Reads the files below this directory, `/` on a host.
    pub fn read(root: &Path) -> Files {
        let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        let saved = ["etc/iptables/rules.v4", "etc/iptables/rules.v6"].map(text).concat();
        Files {
            services: root.join("run/systemd/system").is_dir().then(|| Services::read(root)),
            enables_ufw: is_set(&text("etc/ufw/ufw.conf"), "ENABLED", "yes"),
            is_firewalld_strict: is_set(
                &text("etc/firewalld/firewalld.conf"),
                "StrictForwardPorts",
                "yes",
            ),
            flushes_ruleset: is_enabled(root, "nftables.service")
                && has_line(&text("etc/nftables.conf"), "flush ruleset"),
            restores_docker: saved.lines().any(|line| line.starts_with("-A DOCKER")),
        }
    }
}

impl Services {
    fn read(root: &Path) -> Services {
        Services {
            watches: is_enabled(root, "dwnl.service"),
            applies: is_enabled(root, "dwnl-apply.service"),
            has_drop_in: drop_ins(root, "docker.service")
                .iter()
                .any(|text| APPLIES.iter().any(|command| text.contains(command))),
        }
    }
}

/// Whether a target or another unit wants the unit.
fn is_enabled(root: &Path, unit: &str) -> bool {
    let directories = fs::read_dir(root.join(UNIT_DIRECTORIES[0])).into_iter().flatten().flatten();
    let wants = directories.filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.ends_with(".wants") || name.ends_with(".requires")
    });
    let mut links = wants.map(|entry| entry.path().join(unit));
    // The target of the link does not matter.
    links.any(|link| link.symlink_metadata().is_ok())
}

/// The texts of the drop-ins of a unit.
fn drop_ins(root: &Path, unit: &str) -> Vec<String> {
    let directories = UNIT_DIRECTORIES.iter().map(|it| root.join(it).join(format!("{unit}.d")));
    let entries = directories.flat_map(|directory| fs::read_dir(directory).into_iter().flatten());
    let files = entries.flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|it| it == "conf"));
    files.filter_map(|path| fs::read_to_string(path).ok()).collect()
}

/// Whether a file of the form `KEY=VALUE` has this value, in upper or lower case.
fn is_set(text: &str, key: &str, value: &str) -> bool {
    let pairs = text.lines().filter_map(|line| line.trim().split_once('='));
    pairs
        .filter(|(name, _)| name.trim() == key)
        .any(|(_, found)| found.trim().trim_matches('"').eq_ignore_ascii_case(value))
}

fn has_line(text: &str, expected: &str) -> bool {
    text.lines().any(|line| line.trim().trim_end_matches(';') == expected)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn services_and_settings_are_read() {
        let root = tempfile::TempDir::new().expect("a directory");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, text).expect("to write");
        };
        let files = || Files::read(root.path());
        assert_eq!(files(), Files::default());
        write("run/systemd/system/x", "");
        assert_eq!(files().services, Some(Services::default()));

        let wants = root.path().join("etc/systemd/system/multi-user.target.wants");
        fs::create_dir_all(&wants).expect("a directory");
        symlink("/nonexistent", wants.join("dwnl-apply.service")).expect("a link");
        symlink("/nonexistent", wants.join("nftables.service")).expect("a link");
        write("etc/systemd/system/docker.service.d/a.conf", "[Service]\nExecStartPre=true\n");
        assert_eq!(files().services, Some(Services { applies: true, ..Services::default() }));
        let drop_in = include_str!("../../../../../packaging/systemd/docker.conf");
        write("usr/lib/systemd/system/docker.service.d/zz-dwnl.conf", drop_in);
        symlink("/nonexistent", wants.join("dwnl.service")).expect("a link");
        let all = Services { watches: true, applies: true, has_drop_in: true };
        assert_eq!(files().services, Some(all));

        write("etc/ufw/ufw.conf", "# ufw\nENABLED=yes\n");
        write("etc/firewalld/firewalld.conf", "# StrictForwardPorts=yes\nStrictForwardPorts=No\n");
        write("etc/nftables.conf", "#!/usr/sbin/nft -f\n\nflush ruleset\n");
        write("etc/iptables/rules.v4", "*nat\n:DOCKER - [0:0]\nCOMMIT\n");
        let Files { enables_ufw, is_firewalld_strict, flushes_ruleset, restores_docker, .. } =
            files();
        assert!(enables_ufw && !is_firewalld_strict && flushes_ruleset && !restores_docker);
        write("etc/iptables/rules.v4", "*nat\n-A DOCKER -i docker0 -j RETURN\nCOMMIT\n");
        write("etc/firewalld/firewalld.conf", "StrictForwardPorts = yes\n");
        assert!(files().restores_docker && files().is_firewalld_strict);
    }
}
