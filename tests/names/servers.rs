//! DNS servers in a namespace.

use std::fs;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tempfile::TempDir;

use super::support::{DnsProcess, Namespace, companion};

const ADDRESS: &str = DnsProcess::ADDRESS;

/// nsd, an authority for the zone `example.net`.
pub struct Nsd {
    _process: DnsProcess,
}

impl Nsd {
    /// Starts it with these records.
    pub fn start(host: &Namespace, records: &str) -> Nsd {
        let directory = TempDir::with_prefix("dwnl-nsd-").expect("a directory");
        let path = directory.path().display().to_string();
        let config = format!(
            "server:\n  ip-address: {ADDRESS}\n  username: \"\"\n  chroot: \"\"\n  zonesdir: {path:?}\n  \
             pidfile: \"{path}/pid\"\n  xfrdfile: \"{path}/xfrd\"\n  zonelistfile: \"{path}/zones\"\n  \
             xfrdir: {path:?}\n  database: \"\"\n  logfile: \"{path}/log\"\n  server-count: 1\n\
             remote-control:\n  control-enable: no\n\
             zone:\n  name: example.net\n  zonefile: zone\n"
        );
        fs::write(directory.path().join("conf"), config).expect("to write");
        fs::write(directory.path().join("zone"), zone(1, records)).expect("to write");
        let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target");
        let nsd = target.join("nsd/nsd");
        assert!(nsd.exists(), "{} is missing: run scripts/setup", nsd.display());
        let child = companion(&host.path())
            .arg(nsd)
            .args(["-d", "-c", &format!("{path}/conf")])
            .stderr(fs::File::create(directory.path().join("errors")).expect("a log"))
            .spawn()
            .expect("nsd");
        Nsd { _process: DnsProcess::started(host, child, directory) }
    }
}

fn zone(serial: u32, records: &str) -> String {
    format!(
        "$ORIGIN example.net.\n$TTL 1\n@ SOA ns hostmaster {serial} 3600 600 86400 1\n@ NS ns\n\
         ns A {ADDRESS}\n{records}\n"
    )
}

/// A server that sends whatever a function makes of a question. Answers that are too long for a datagram
/// are not its concern.
pub struct Liar {
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Liar {
    pub fn start(host: &Namespace, reply: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Liar {
        let socket = host.inside(|| UdpSocket::bind((ADDRESS, 53))).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = stopped.clone();
        let thread = thread::spawn(move || {
            let mut buffer = [0; 512];
            while !stop.load(Ordering::Relaxed) {
                let Ok((length, client)) = socket.recv_from(&mut buffer) else { continue };
                for reply in reply(&buffer[..length]) {
                    let _ = socket.send_to(&reply, client);
                }
            }
        });
        Liar { stopped, thread: Some(thread) }
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// An answer with these IPv4 addresses; there are no IPv6 addresses.
pub fn answer(query: &[u8], ttl: u32, addresses: &[[u8; 4]]) -> Vec<u8> {
    let is_v4 = query[query.len() - 3] == 1;
    let addresses = if is_v4 { addresses } else { &[] };
    let mut reply = query.to_vec();
    reply[2] |= 0x80;
    reply[6..8].copy_from_slice(&u16::try_from(addresses.len()).expect("few").to_be_bytes());
    for address in addresses {
        reply.extend([0xc0, 12, 0, 1, 0, 1]);
        reply.extend(ttl.to_be_bytes());
        reply.extend([0, 4]);
        reply.extend(address);
    }
    reply
}
