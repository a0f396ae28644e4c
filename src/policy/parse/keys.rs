//! Keys of other firewalls and of Docker, and what a policy has in their place.

/// Keys by what to do instead, and a key of the table that the advice is for.
const ADVICE: [(&[&str], &str, &str); 21] = [
    (
        &["block", "drop", "reject", "blocklist", "blacklist", "ban", "bans", "denylist"],
        "allow",
        "did you mean `deny`?",
    ),
    (&["exclude", "excluding", "without", "unless", "not"], "ports", "did you mean `except`?"),
    (
        &["deny", "block", "drop", "reject", "blocklist", "blacklist"],
        "ports",
        "sources to refuse belong in `except`, or in a `[[deny]]` entry",
    ),
    (
        &["default", "default-policy", "policy", "action", "verdict", "target"],
        "",
        "everything is blocked that no `[[allow]]` entry lists or that a `[[deny]]` entry lists",
    ),
    (
        &["rate", "rate-limit", "ratelimit", "limits", "burst"],
        "limit",
        "write a rate, as in `limit = \"20/second burst 50 per source\"`",
    ),
    (
        &["connlimit", "max-connections", "conn-limit", "ct-count", "connection-limit"],
        "limit",
        "write `connections = 100` for the open connections of each source",
    ),
    (
        &["log", "logging", "log-prefix"],
        "",
        "write `refused = \"kernel\"` in a table `[log]` to log what is refused",
    ),
    (
        &["country", "countries", "geoip", "geo", "asn"],
        "",
        "put the addresses in a list that a group under `[sources]` names",
    ),
    (
        &["dns", "host", "hosts", "hostname", "fqdn", "domain"],
        "ports",
        "list names in `from`, as in `from = [{ dns = \"home.example.net\" }]`",
    ),
    (
        &["url", "urls", "download"],
        "",
        "dwnl downloads nothing: save the list in a file and name it by `file`",
    ),
    (
        &["containers", "container-name", "service", "services", "compose-service", "project"],
        "ports",
        "write `container = \"NAME\"`, or `compose = \"PROJECT/SERVICE\"`",
    ),
    (
        &["image", "images", "network", "networks"],
        "ports",
        "an entry is for published ports, or for those of a `container`, a `compose` service or a `label`",
    ),
    (
        &["protocol", "protocols", "proto", "tcp", "udp"],
        "ports",
        "the protocol belongs behind the port, as in `ports = [\"443/udp\"]`",
    ),
    (
        &["dport", "dports", "destination-port", "listen", "publish", "published"],
        "ports",
        "did you mean `ports`?",
    ),
    (
        &["source", "sources", "src", "saddr", "allow", "group", "groups", "ips", "addresses"],
        "ports",
        "did you mean `from`?",
    ),
    (
        &["interface", "iif", "iifname", "in", "device", "dev"],
        "ports",
        "did you mean `in-interface`?",
    ),
    (
        &["destination", "dst", "daddr", "address", "host-ip", "listen-address"],
        "ports",
        "did you mean `to`?",
    ),
    (&["comment", "description", "title"], "ports", "did you mean `name`?"),
    (
        &["enabled", "disabled", "enable", "disable"],
        "ports",
        "begin each line of an entry with `#` to disable it",
    ),
    (&["groups", "group", "lists", "sets", "aliases"], "allow", "did you mean `sources`?"),
    (&["rule", "rules", "entry", "entries"], "allow", "did you mean `allow`?"),
];

/// What to do in place of writing the key in a table that has the keys `known`.
pub(super) fn help(key: &str, known: &[&str]) -> Option<&'static str> {
    let key = key.to_lowercase().replace('_', "-");
    let is_meant = |(keys, table, _): &&(&[&str], &str, &str)| {
        keys.contains(&key.as_str()) && (table.is_empty() || known.contains(table))
    };
    ADVICE.iter().find(is_meant).map(|(_, _, help)| *help)
}
