//! DNS servers in a namespace, and processes that look names up there.

use std::fs;
use std::process::Child;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::{Namespace, companion, wait_for};

/// Runs a command with another `/etc/resolv.conf`, in a mount namespace of its own.
const BIND: &str = "mount --make-rprivate / && mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";

/// An `/etc/resolv.conf` that names the test's server.
pub struct ResolvConf(TempDir);

impl ResolvConf {
    pub fn new() -> ResolvConf {
        let directory = TempDir::with_prefix("dwnl-resolv-").expect("a directory");
        let conf = format!("nameserver {}\n", DnsProcess::ADDRESS);
        fs::write(directory.path().join("resolv.conf"), conf).expect("to write");
        ResolvConf(directory)
    }

    /// What runs another command with it.
    pub fn command(&self) -> Vec<String> {
        let conf = self.0.path().join("resolv.conf").display().to_string();
        ["unshare", "--mount", "sh", "-c", BIND, &conf].map(str::to_owned).into()
    }
}

/// A server that runs until it is dropped.
pub struct DnsProcess {
    child: Child,
    directory: TempDir,
}

impl DnsProcess {
    /// Where all of them listen.
    pub const ADDRESS: &str = "127.0.0.53";

    /// A server that was started with files in this directory, once it listens.
    pub fn started(host: &Namespace, child: Child, directory: TempDir) -> DnsProcess {
        let process = DnsProcess { child, directory };
        wait_for("a DNS server", || {
            let sockets = host.run(&["ss", "--no-header", "--udp", "--listening", "--numeric"]);
            sockets.contains(&format!("{}:53", Self::ADDRESS)).then_some(())
        });
        process
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("a process");
        kill(Pid::from_raw(id), signal).expect("to send a signal");
    }
}

impl Drop for DnsProcess {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// dnsmasq, a caching server that answers from a hosts file.
pub struct Dnsmasq(DnsProcess);

impl Dnsmasq {
    /// Starts it with these lines of a hosts file, and these options.
    pub fn start(host: &Namespace, hosts: &str, options: &[&str]) -> Dnsmasq {
        let directory = TempDir::with_prefix("dwnl-dnsmasq-").expect("a directory");
        let file = directory.path().join("hosts");
        fs::write(&file, hosts).expect("to write");
        let child = companion(&host.path())
            .args(["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"])
            .args(["--user=root", "--pid-file=", "--bind-interfaces", "--local-ttl=1"])
            .args(["--local=/example.net/", &format!("--listen-address={}", DnsProcess::ADDRESS)])
            .arg(format!("--addn-hosts={}", file.display()))
            .args(options)
            .stderr(fs::File::create(directory.path().join("log")).expect("a log"))
            .spawn()
            .expect("dnsmasq: run scripts/setup");
        Dnsmasq(DnsProcess::started(host, child, directory))
    }

    /// Has it answer from these lines.
    pub fn set(&self, hosts: &str) {
        fs::write(self.0.directory.path().join("hosts"), hosts).expect("to write");
        self.0.signal(Signal::SIGHUP);
    }

    pub fn signal(&self, signal: Signal) {
        self.0.signal(signal);
    }
}
