//! docs/json.md describes what `--json` really prints: every key with its type, and no other. Needs
//! root, and `scripts/setup` run before.

#![allow(clippy::panic, clippy::unwrap_used)]

mod checker;
mod commands;
mod control;
mod document;
mod events;
mod explain;
mod names;
#[path = "../support/mod.rs"]
mod support;
mod trace;

use checker::Checker;
use document::Document;

#[test]
fn the_document_describes_the_output() {
    let document = Document::parse(include_str!("../../docs/json.md"));
    let mut checker = Checker::new(&document);
    commands::check_all(&mut checker);
    events::check_all(&mut checker);
    control::check_all(&mut checker);
    names::check_all(&mut checker);
    trace::check_all(&mut checker);
    assert_eq!(checker.unseen(), [""; 0], "documented, but not in the output");
}

/// A small document, and what the checker says of an object.
fn verdict(json: &str) -> Result<Vec<String>, String> {
    const DOCUMENT: &str = "\
## sample

| `op` | meaning | keys |
|---|---|---|
| `add`, `keep` | | `name`, those of [more](#more) |
| `stop` | | |

| key | type | meaning |
|---|---|---|
| `op` | string | |
| `name` | string or null | |

### more

| key | type | meaning |
|---|---|---|
| `sizes` | array of number | |
";
    let document = Document::parse(DOCUMENT);
    let mut checker = Checker::new(&document);
    let object = serde_json::from_str(json).expect("JSON");
    checker.check("sample", &object).map(|()| checker.unseen())
}

#[test]
fn an_object_as_documented_is_accepted() {
    let unseen = verdict(r#"{"op":"add","name":"a","sizes":[1]}"#).expect("to be accepted");
    assert_eq!(unseen, ["sample: op=keep", "sample: op=stop"]);
    let unseen = verdict(r#"{"op":"stop"}"#).expect("to be accepted");
    assert_eq!(unseen, ["more: sizes", "sample: name", "sample: op=add", "sample: op=keep"]);
    verdict(r#"{"op":"keep","name":null,"sizes":[]}"#).expect("to be accepted");
}

#[test]
fn any_other_object_is_rejected() {
    for (json, reason) in [
        (r#"{"op":"stop","size":1}"#, "undocumented key `size`"),
        (r#"{"op":"stop","name":"a"}"#, "undocumented key `name`"),
        (r#"{"op":"add","name":"a"}"#, "missing key `sizes`"),
        (r#"{"op":"go"}"#, "undocumented op=go"),
        (r#"{"op":"add","name":1,"sizes":[1]}"#, "`name` is not a string or null"),
        (r#"{"op":"add","name":"a","sizes":[null]}"#, "`sizes` is not an array of number"),
        (r#"{"op":"add","name":"a","sizes":[1.5]}"#, "`sizes` is not an array of number"),
        ("[]", "not an object"),
    ] {
        let error = verdict(json).expect_err(json);
        assert!(error.contains(reason), "{json}: {error}");
    }
}
