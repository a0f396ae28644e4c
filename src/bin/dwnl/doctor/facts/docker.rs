//! Docker's processes in a network namespace, and how dockerd is configured.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where dockerd reads its configuration unless an option says otherwise.
const CONFIG: &str = "/etc/docker/daemon.json";

/// The processes of Docker in a network namespace, as far as they can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DockerProcesses {
    /// dockerd.
    pub daemon: Option<DockerProcess>,
    /// The number of processes of docker-proxy: one for each published port and IP version.
    pub proxies: usize,
}

/// A running dockerd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DockerProcess {
    /// Its process ID.
    pub pid: u32,
    /// The path of its cgroup v2, without a leading slash; `None` if it has none.
    pub cgroup: Option<String>,
    /// How it is configured.
    pub config: DaemonConfig,
}

/// The settings of dockerd that matter for published ports, from its configuration file and its
/// options. `None`: the default of its version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct DaemonConfig {
    /// Whether docker-proxy listens on published ports (by default it does).
    pub userland_proxy: Option<bool>,
    /// Whether it writes rules at all (by default it does).
    pub iptables: Option<bool>,
    /// `iptables` or `nftables`.
    pub firewall_backend: Option<String>,
    /// Where it offers its API.
    pub hosts: Vec<String>,
}

impl DockerProcesses {
    /// Finds the processes of root in the network namespace that `namespace` refers to, in `/proc` or a
    /// directory of the same structure. `is_host`: whether the files of this host configure them. Any
    /// user may call a process dockerd, with options of their own.
    pub fn find(proc: &Path, namespace: &Path, is_host: bool) -> DockerProcesses {
        let identity = |path: &Path| fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
        let owner = |path: &Path| fs::metadata(path).ok().map(|it| it.uid());
        let Some(namespace) = identity(namespace) else { return DockerProcesses::default() };
        let mut found = DockerProcesses::default();
        for entry in fs::read_dir(proc).into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let process = entry.path();
            let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
            let is_here = || {
                owner(&process) == owner(proc)
                    && identity(&process.join("ns/net")) == Some(namespace)
            };
            match name.trim_end() {
                "docker-proxy" if is_here() => found.proxies += 1,
                "dockerd" if is_here() => found.daemon = Some(daemon(pid, &process, is_host)),
                _ => {}
            }
        }
        found
    }
}

fn daemon(pid: u32, process: &Path, is_host: bool) -> DockerProcess {
    let cgroups = fs::read_to_string(process.join("cgroup")).unwrap_or_default();
    let cgroup = cgroups.lines().find_map(|line| line.strip_prefix("0::/"));
    let command = fs::read(process.join("cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command);
    let words: Vec<&str> = command.split('\0').skip(1).collect();
    let cgroup = cgroup.map(str::to_owned);
    DockerProcess { pid, cgroup, config: DaemonConfig::of(&words, is_host) }
}

impl DaemonConfig {
    /// The settings of a dockerd that was started with these words. `is_host`: whether it reads the file
    /// of this host if no option names another one.
    fn of(words: &[&str], is_host: bool) -> DaemonConfig {
        let named = options(words, &["--config-file"]).last().map(PathBuf::from);
        let path = named.or_else(|| is_host.then(|| CONFIG.into()));
        let text = path.and_then(|path| fs::read_to_string(path).ok());
        let mut config = text.map(|text| DaemonConfig::of_file(&text)).unwrap_or_default();
        config.take_options(words);
        config
    }

    /// The settings in a `daemon.json`; none if it cannot be parsed.
    fn of_file(text: &str) -> DaemonConfig {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// dockerd does not start if an option is given in both places.
    fn take_options(&mut self, words: &[&str]) {
        let last = |name| options(words, &[name]).pop();
        let flag = |name| last(name).map(|value| value != "false");
        self.userland_proxy = flag("--userland-proxy").or(self.userland_proxy);
        self.iptables = flag("--iptables").or(self.iptables);
        if let Some(backend) = last("--firewall-backend") {
            self.firewall_backend = Some(backend.to_owned());
        }
        self.hosts.extend(options(words, &["-H", "--host"]).into_iter().map(str::to_owned));
    }

    /// Where it offers its API over TCP to other hosts.
    pub fn remote_apis(&self) -> impl Iterator<Item = &str> {
        let is_local =
            |host: &str| ["127.", "localhost", "[::1]"].iter().any(|local| host.starts_with(local));
        let remote = move |host: &&str| {
            host.strip_prefix("tcp://").is_some_and(|address| !is_local(address))
        };
        self.hosts.iter().map(String::as_str).filter(remote)
    }
}

/// The values of an option: `--name=value`, and `--name value` for options that have a value. A flag
/// without a value has the next word or nothing, which does not say `false`.
fn options<'a>(words: &[&'a str], names: &[&str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        for name in names {
            match word.strip_prefix(name) {
                Some("") => found.push(words.get(index + 1).copied().unwrap_or_default()),
                Some(rest) => found.extend(rest.strip_prefix('=')),
                None => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn options_and_the_file_are_combined() {
        let mut config = DaemonConfig::of_file(
            r#"{"userland-proxy": false, "hosts": ["unix:///run/docker.sock"], "mtu": 1400}"#,
        );
        assert_eq!(config.userland_proxy, Some(false));
        assert_eq!(config.remote_apis().next(), None);
        config.take_options(&[
            "--iptables=false",
            "--firewall-backend",
            "nftables",
            "-H",
            "tcp://0.0.0.0:2375",
            "--host=tcp://127.0.0.1:2376",
            "--userland-proxy-path",
            "false",
        ]);
        assert_eq!((config.userland_proxy, config.iptables), (Some(false), Some(false)));
        assert_eq!(config.firewall_backend.as_deref(), Some("nftables"));
        assert_eq!(config.remote_apis().collect::<Vec<_>>(), ["tcp://0.0.0.0:2375"]);
        assert_eq!(DaemonConfig::of_file("{"), DaemonConfig::default());
        let other = DaemonConfig::of(&["--config-file=/nonexistent", "--userland-proxy"], true);
        assert_eq!(other, DaemonConfig { userland_proxy: Some(true), ..DaemonConfig::default() });
    }

    #[test]
    fn only_processes_of_the_namespace_count() {
        let root = tempfile::TempDir::new().expect("a directory");
        let namespace = root.path().join("namespace");
        let other = root.path().join("other");
        for file in [&namespace, &other] {
            fs::write(file, "").expect("to write");
        }
        let process = |pid: &str, name: &str, namespace: &Path| {
            let directory = root.path().join(pid);
            fs::create_dir_all(directory.join("ns")).expect("a directory");
            fs::write(directory.join("comm"), format!("{name}\n")).expect("to write");
            fs::write(directory.join("cmdline"), "dockerd\0--iptables=false\0").expect("to write");
            fs::write(directory.join("cgroup"), "1:cpu:/x\n0::/system.slice/docker.service\n")
                .expect("to write");
            symlink(namespace, directory.join("ns/net")).expect("a link");
        };
        process("7", "dockerd", &namespace);
        process("8", "docker-proxy", &namespace);
        process("9", "docker-proxy", &other);
        process("10", "bash", &namespace);
        let found = DockerProcesses::find(root.path(), &namespace, false);
        let config = DaemonConfig { iptables: Some(false), ..DaemonConfig::default() };
        let cgroup = Some("system.slice/docker.service".to_owned());
        let daemon = Some(DockerProcess { pid: 7, cgroup, config });
        assert_eq!(found, DockerProcesses { daemon, proxies: 1 });
        let nowhere = DockerProcesses::find(root.path(), Path::new("/nonexistent"), true);
        assert_eq!(nowhere, DockerProcesses::default());
    }
}
