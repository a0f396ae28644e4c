//! Which containers an entry is for.

use std::fmt;

use super::diag::Quoted;
use crate::model::{COMMENT_MAX, Container, Name, is_invisible};

/// The labels by which Compose says what a container belongs to.
const COMPOSE_PROJECT: &str = "com.docker.compose.project";
const COMPOSE_SERVICE: &str = "com.docker.compose.service";
/// The maximum length of a name or a label in bytes.
const LENGTH_MAX: usize = 255;

/// The containers that an entry is for: those that meet each condition that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerSelector {
    name: Option<Name>,
    compose: Option<ComposeService>,
    label: Option<Label>,
}

/// A service of a Compose project: `shop/api`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ComposeService {
    project: Name,
    service: Name,
}

/// A label, with its value or with any: `tier=front`, `public`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Label {
    key: Name,
    value: Option<Name>,
}

/// Why a text names no container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// Docker gives no container such a name.
    #[error("no container can have this name")]
    Name,
    /// It is not a project and a service.
    #[error("this is not a service of a Compose project")]
    Compose,
    /// It is not a label.
    #[error("this is not a label")]
    Label,
}

impl ContainerSelector {
    /// Selects containers of this name too.
    ///
    /// # Errors
    /// [`SelectorError::Name`].
    pub fn with_name(self, name: &str) -> Result<ContainerSelector, SelectorError> {
        // https://github.com/moby/moby/blob/master/daemon/names/names.go
        let is_valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !begins || name.len() > LENGTH_MAX || !name.chars().all(is_valid) {
            return Err(SelectorError::Name);
        }
        Ok(ContainerSelector { name: Some(name.into()), ..self })
    }

    /// Selects the containers of a Compose service, written `PROJECT/SERVICE`.
    ///
    /// # Errors
    /// [`SelectorError::Compose`].
    pub fn with_compose(self, text: &str) -> Result<ContainerSelector, SelectorError> {
        let parts = text.split_once('/').filter(|(_, service)| !service.contains('/'));
        let parts = parts.filter(|(project, service)| is_word(project) && is_word(service));
        let (project, service) = parts.ok_or(SelectorError::Compose)?;
        let compose = ComposeService { project: project.into(), service: service.into() };
        Ok(ContainerSelector { compose: Some(compose), ..self })
    }

    /// Selects containers with a label, written `KEY=VALUE`, or `KEY` for any value.
    ///
    /// # Errors
    /// [`SelectorError::Label`].
    pub fn with_label(self, text: &str) -> Result<ContainerSelector, SelectorError> {
        let (key, value) =
            text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
        let is_valid = |value: &str| value.len() <= LENGTH_MAX && !value.chars().any(is_invisible);
        if !is_word(key) || !value.is_none_or(is_valid) {
            return Err(SelectorError::Label);
        }
        let label = Label { key: key.into(), value: value.map(Into::into) };
        Ok(ContainerSelector { label: Some(label), ..self })
    }

    /// Whether no condition is set.
    pub(super) fn is_empty(&self) -> bool {
        *self == ContainerSelector::default()
    }

    /// Whether a container is one of those.
    pub fn matches(&self, container: &Container) -> bool {
        let has = |key: &str, value: &str| container.labels.get(key).is_some_and(|it| it == value);
        self.name.as_ref().is_none_or(|name| *name == container.name)
            && self.compose.as_ref().is_none_or(|it| {
                has(COMPOSE_PROJECT, &it.project) && has(COMPOSE_SERVICE, &it.service)
            })
            && self.label.as_ref().is_none_or(|label| match &label.value {
                Some(value) => has(&label.key, value),
                None => container.labels.contains_key(&*label.key),
            })
    }

    /// The labels that decide.
    pub fn label_keys(&self) -> impl Iterator<Item = &str> {
        let compose = self.compose.iter().flat_map(|_| [COMPOSE_PROJECT, COMPOSE_SERVICE]);
        compose.chain(self.label.iter().map(|label| &*label.key))
    }

    /// The containers in the comment of a rule: `container web`, `compose shop/api, label tier=front`.
    pub(super) fn comment(&self) -> Name {
        let words: Vec<String> = self.keys().map(|(key, value)| format!("{key} {value}")).collect();
        let words = words.join(", ");
        let end = (0..=words.len().min(COMMENT_MAX)).rev().find(|end| words.is_char_boundary(*end));
        words[..end.unwrap_or(0)].into()
    }

    /// The keys of an entry and their values.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&'static str, String)> {
        let name = self.name.as_ref().map(|name| ("container", name.to_string()));
        let compose =
            self.compose.as_ref().map(|it| ("compose", format!("{}/{}", it.project, it.service)));
        let label = self.label.as_ref().map(|it| {
            let value = it.value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
            ("label", format!("{}{value}", it.key))
        });
        [name, compose, label].into_iter().flatten()
    }
}

fn is_word(text: &str) -> bool {
    let is_bad = |c: char| c.is_whitespace() || c == '=' || is_invisible(c);
    !text.is_empty() && text.len() <= LENGTH_MAX && !text.chars().any(is_bad)
}

/// ``container `shop-api` ``, ``compose `shop/api`, label `tier=front` ``
impl fmt::Display for ContainerSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> =
            self.keys().map(|(key, value)| format!("{key} {}", Quoted(&value))).collect();
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, labels: &[(&str, &str)]) -> Container {
        let labels = labels.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        Container { name: name.into(), labels: labels.collect(), ports: Vec::new() }
    }

    #[test]
    fn a_container_has_to_meet_every_condition() {
        let api = [(COMPOSE_PROJECT, "shop"), (COMPOSE_SERVICE, "api"), ("tier", "front")];
        let (api, other) = (container("shop-api-1", &api), container("shop", &[("tier", "")]));
        let all = ContainerSelector::default;
        let cases = [
            (all().with_name("shop-api-1"), [true, false]),
            (all().with_name("shop"), [false, true]),
            (all().with_compose("shop/api"), [true, false]),
            (all().with_compose("shop/db"), [false, false]),
            (all().with_label("tier=front"), [true, false]),
            (all().with_label("tier="), [false, true]),
            (all().with_label("tier"), [true, true]),
            (all().with_label("tier").and_then(|it| it.with_name("shop")), [false, true]),
        ];
        for (selector, expected) in cases {
            let selector = selector.expect("a selector");
            assert_eq!([&api, &other].map(|it| selector.matches(it)), expected, "{selector}");
        }
    }

    #[test]
    fn what_docker_cannot_have_is_an_error() {
        let all = ContainerSelector::default;
        for name in ["", "/shop", "-shop", "a b", "größe", "shop/api", &"x".repeat(256)] {
            assert_eq!(all().with_name(name), Err(SelectorError::Name), "{name}");
        }
        for text in ["", "shop", "shop/", "/api", "a/b/c", "a /b"] {
            assert_eq!(all().with_compose(text), Err(SelectorError::Compose), "{text}");
        }
        for text in ["", "=x", "a b=x", "a\n", "a=\u{202e}"] {
            assert_eq!(all().with_label(text), Err(SelectorError::Label), "{text}");
        }
        let both = all().with_label("tier=a=b").and_then(|it| it.with_compose("shop/api"));
        assert_eq!(both.expect("a selector").to_string(), "compose `shop/api`, label `tier=a=b`");
    }
}
