//! A namespace's ruleset in a form that can be compared with another.

use serde_json::Value;

use super::Namespace;

/// The whole ruleset as JSON values, without handles, and sorted where the kernel has no order.
pub fn state(namespace: &Namespace) -> Vec<Value> {
    state_of(namespace, &["ruleset"])
}

/// One object of the ruleset with its contents.
pub fn state_of(namespace: &Namespace, object: &[&str]) -> Vec<Value> {
    let text = namespace.run(&[&["nft", "--json", "list"], object].concat());
    // nft 0.9.8 prints a warning before the JSON if a chain has no name.
    let json = &text[text.find('{').expect("JSON from nft")..];
    let listing: Value = serde_json::from_str(json).expect("JSON from nft");
    let objects = listing["nftables"].as_array().cloned().expect("objects");
    let mut objects: Vec<Value> =
        objects.into_iter().filter(|object| object.get("metainfo").is_none()).collect();
    for object in &mut objects {
        for (_, content) in object.as_object_mut().expect("an object") {
            normalize(content);
        }
    }
    // A stable sort, which keeps the order of the rules of a chain.
    objects.sort_by_cached_key(sort_key);
    objects
}

fn normalize(content: &mut Value) {
    let content = content.as_object_mut().expect("an object");
    content.remove("handle");
    if let Some(Value::Array(elements)) = content.get_mut("elem") {
        elements.sort_by_cached_key(Value::to_string);
    }
}

/// The kind of an object, and its path in the ruleset.
fn sort_key(object: &Value) -> String {
    let (kind, content) =
        object.as_object().and_then(|object| object.iter().next()).expect("one key");
    let word = |key: &str| content[key].as_str().unwrap_or_default().to_owned();
    [kind.clone(), word("family"), word("table"), word("chain"), word("name")].join(" ")
}

/// The rules of both families as iptables saves them, without comments and counters.
pub fn saved(namespace: &Namespace) -> Vec<String> {
    let saved = ["iptables-save", "ip6tables-save"].map(|save| namespace.run(&[save, "-t", "nat"]));
    let lines = saved.iter().flat_map(|saved| saved.lines());
    let lines = lines.filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(" [").next().unwrap_or(line).to_owned()).collect()
}
