//! The stored containers: those that Docker's API told last.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::SystemTime;

use dwnl::model::{Binding, Container, Containers, Protocol};
use serde::{Deserialize, Serialize};

/// The form of the file. Another version of it is not read.
const VERSION: u32 = 1;

/// The running containers at some time, and when they were found first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownContainers {
    /// The containers, which are not those of now.
    pub containers: Containers,
    /// When they were found first.
    pub since: SystemTime,
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    since: String,
    containers: Vec<FileContainer>,
}

#[derive(Serialize, Deserialize)]
struct FileContainer {
    name: String,
    labels: BTreeMap<String, String>,
    ports: Vec<FilePort>,
}

#[derive(Serialize, Deserialize)]
struct FilePort {
    address: IpAddr,
    port: u16,
    container_port: u16,
    protocol: String,
}

impl KnownContainers {
    /// The content of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let containers = self.containers.list.iter().map(FileContainer::of).collect();
        let since = humantime::format_rfc3339_seconds(self.since).to_string();
        let file = File { version: VERSION, since, containers };
        // Serializing these types does not fail.
        serde_json::to_vec(&file).unwrap_or_default()
    }

    /// Reads the content of the file.
    ///
    /// # Errors
    /// The reason as text.
    pub fn from_bytes(bytes: &[u8]) -> Result<KnownContainers, String> {
        let file: File = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if file.version != VERSION {
            return Err(format!("version {} is not known", file.version));
        }
        let since = humantime::parse_rfc3339(&file.since).map_err(|error| error.to_string())?;
        let list =
            file.containers.into_iter().map(FileContainer::read).collect::<Result<_, _>>()?;
        Ok(KnownContainers { containers: Containers { list, is_current: false }, since })
    }
}

impl FileContainer {
    fn of(container: &Container) -> FileContainer {
        let port = |it: &Binding| FilePort {
            address: it.address,
            port: it.host_port,
            container_port: it.container_port,
            protocol: it.protocol.to_string(),
        };
        FileContainer {
            name: container.name.to_string(),
            labels: container.labels.clone(),
            ports: container.ports.iter().map(port).collect(),
        }
    }

    fn read(self) -> Result<Container, String> {
        let ports = self.ports.iter().map(FilePort::read).collect::<Result<_, _>>()?;
        Ok(Container { name: self.name.into(), labels: self.labels, ports })
    }
}

impl FilePort {
    fn read(&self) -> Result<Binding, String> {
        let protocol: Protocol = self.protocol.parse().map_err(|_| "an unknown protocol")?;
        if self.port == 0 {
            return Err("port 0".to_owned());
        }
        let (host_port, container_port) = (self.port, self.container_port);
        Ok(Binding { protocol, host_port, container_port, address: self.address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_again() {
        let binding = |address: &str, host_port| Binding {
            protocol: Protocol::Udp,
            host_port,
            container_port: 53,
            address: address.parse().expect("an address"),
        };
        let container = Container {
            name: "dns".into(),
            labels: [("tier".to_owned(), "a \"b\"\n".to_owned())].into(),
            ports: vec![binding("0.0.0.0", 53), binding("2001:db8::1", 65_535)],
        };
        let containers = Containers { list: vec![container], is_current: false };
        let known = KnownContainers { containers, since: SystemTime::UNIX_EPOCH };
        assert_eq!(KnownContainers::from_bytes(&known.to_bytes()), Ok(known));
    }

    #[test]
    fn damage_is_an_error() {
        let file = |version, port, protocol| {
            let since = "1970-01-01T00:00:00Z";
            format!(
                r#"{{"version":{version},"since":"{since}","containers":[{{"name":"a","labels":{{}},
                "ports":[{{"address":"::","port":{port},"container_port":1,"protocol":"{protocol}"}}]}}]}}"#
            )
        };
        let read = |text: String| KnownContainers::from_bytes(text.as_bytes());
        assert!(read(file(1, 80, "tcp")).is_ok());
        for text in [file(2, 80, "tcp"), file(1, 0, "tcp"), file(1, 80, "icmp"), String::new()] {
            assert!(read(text.clone()).is_err(), "{text}");
        }
    }
}
