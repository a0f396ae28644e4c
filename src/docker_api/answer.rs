//! The list of containers in the answer to `GET /containers/json`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;

use super::ApiError;
use crate::model::{Binding, Container, Protocol, is_invisible};

/// The maximum number of containers and of published ports. Real hosts have far fewer.
const CONTAINERS_MAX: usize = 16_384;
const PORTS_MAX: usize = 262_144;
/// The maximum length of a name in bytes.
const NAME_MAX: usize = 255;

/// A container, as far as it matters.
#[derive(Deserialize)]
struct Summary {
    #[serde(rename = "Names")]
    names: Option<Vec<String>>,
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
    #[serde(rename = "Ports")]
    ports: Option<Vec<Port>>,
}

/// A port that a container publishes or, without a public port, only exposes.
#[derive(Deserialize)]
struct Port {
    #[serde(rename = "IP")]
    ip: Option<String>,
    #[serde(rename = "PrivatePort")]
    private: u16,
    #[serde(rename = "PublicPort")]
    public: Option<u16>,
    #[serde(rename = "Type")]
    protocol: String,
}

/// Reads the answer.
///
/// # Errors
/// If it is not a list of containers, or one of impossible length.
pub(super) fn containers(text: &[u8]) -> Result<Vec<Container>, ApiError> {
    let summaries: Vec<Summary> =
        serde_json::from_slice(text).map_err(|error| ApiError::Malformed(error.to_string()))?;
    let ports: usize = summaries.iter().map(|it| it.ports.as_ref().map_or(0, Vec::len)).sum();
    if summaries.len() > CONTAINERS_MAX || ports > PORTS_MAX {
        return Err(ApiError::TooLong);
    }
    summaries.into_iter().map(container).collect()
}

fn container(summary: Summary) -> Result<Container, ApiError> {
    let name = summary.names.iter().flatten().find_map(|name| own_name(name));
    let name = name.ok_or_else(|| ApiError::Malformed("a container without a name".to_owned()))?;
    let mut ports = Vec::new();
    for port in summary.ports.into_iter().flatten() {
        ports.extend(binding(&port)?);
    }
    ports.sort_unstable();
    ports.dedup();
    Ok(Container { name: name.into(), labels: summary.labels.unwrap_or_default(), ports })
}

/// `/web`. The name that a link to the container gives it has another slash: `/other/web`.
fn own_name(name: &str) -> Option<&str> {
    let name = name.strip_prefix('/')?;
    let is_clean = !name.contains('/') && !name.chars().any(is_invisible);
    (is_clean && (1..=NAME_MAX).contains(&name.len())).then_some(name)
}

/// The published port; `None` if it is only exposed, or of a protocol that Docker does not publish.
fn binding(port: &Port) -> Result<Option<Binding>, ApiError> {
    let protocol = Protocol::ALL.into_iter().find(|it| it.name() == port.protocol);
    let host_port = port.public.filter(|port| *port != 0);
    let Some((protocol, host_port)) = protocol.zip(host_port) else { return Ok(None) };
    let address = match port.ip.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => text.parse::<IpAddr>().map_err(|_| {
            ApiError::Malformed(format!("`{}` is not an address", text.escape_debug()))
        })?,
        None => Ipv4Addr::UNSPECIFIED.into(),
    };
    Ok(Some(Binding { protocol, host_port, container_port: port.private, address }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the form of `curl --unix-socket /run/docker.sock http://docker/containers/json`.
    const ANSWER: &str = r#"[{
        "Id": "8dfafdbc3a40", "Names": ["/other/alias", "/shop-api"], "Image": "busybox",
        "Labels": {"com.docker.compose.project": "shop", "tier": "front"},
        "Ports": [
            {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 49153, "Type": "tcp"},
            {"IP": "::", "PrivatePort": 80, "PublicPort": 49153, "Type": "tcp"},
            {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 49153, "Type": "tcp"},
            {"PrivatePort": 9100, "Type": "tcp"},
            {"IP": "192.0.2.1", "PrivatePort": 53, "PublicPort": 53, "Type": "udp"}
        ]}, {"Names": ["/bare"], "Labels": null, "Ports": []}]"#;

    #[test]
    fn names_labels_and_published_ports_are_read() {
        let found = containers(ANSWER.as_bytes()).expect("containers");
        let [api, bare] = &found[..] else { unreachable!("two containers") };
        assert_eq!((&*api.name, &*bare.name), ("shop-api", "bare"));
        assert_eq!(api.labels.get("tier").map(String::as_str), Some("front"));
        let port = |it: &Binding| {
            format!("{}:{}->{}/{}", it.address, it.host_port, it.container_port, it.protocol)
        };
        let ports: Vec<String> = api.ports.iter().map(port).collect();
        assert_eq!(ports, ["0.0.0.0:49153->80/tcp", ":::49153->80/tcp", "192.0.2.1:53->53/udp"]);
        assert!(bare.ports.is_empty() && bare.labels.is_empty());
    }

    #[test]
    fn other_answers_are_errors() {
        for text in [
            "",
            "{}",
            "null",
            "[1]",
            r#"{"message": "forbidden"}"#,
            r#"[{"Names": []}]"#,
            r#"[{"Names": ["/a/b"]}]"#,
            r#"[{"Names": ["/a\u0007"]}]"#,
            r#"[{"Names": ["/a"], "Ports": [{"PrivatePort": 70000, "Type": "tcp"}]}]"#,
            r#"[{"Names": ["/a"], "Ports": [{"IP": "x", "PrivatePort": 1, "PublicPort": 1, "Type": "tcp"}]}]"#,
        ] {
            assert!(matches!(containers(text.as_bytes()), Err(ApiError::Malformed(_))), "{text}");
        }
        let many =
            format!("[{}{{\"Names\":[\"/a\"]}}]", "{\"Names\":[\"/a\"]},".repeat(CONTAINERS_MAX));
        assert!(matches!(containers(many.as_bytes()), Err(ApiError::TooLong)));
    }
}
