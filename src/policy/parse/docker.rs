//! The `[docker]` table.

use std::path::Path;

use toml::de::DeTable;

use super::document::{Document, Value};
use super::group::Groups;
use crate::policy::diag::Issue;
use crate::policy::{DockerSettings, Group, PolicyError};

const KEYS: [&str; 3] = ["socket", "labels", "label-groups"];

/// Reads the table. What has errors is left out.
pub(in crate::policy) fn read(
    document: &mut Document,
    table: &DeTable,
    groups: &Groups,
) -> DockerSettings {
    document.check_keys(table, " in `[docker]`", &KEYS);
    let mut settings = DockerSettings::default();
    if let Some(value) = table.get("socket") {
        let socket = document.string(value, "socket", DockerSettings::SOCKET);
        let with = socket.map(|path| settings.clone().with_socket(Path::new(path)));
        let with = with.and_then(|with| document.check(with, value.span()));
        settings = with.unwrap_or(settings);
    }
    let labels = table.get("labels");
    let is_on = labels.and_then(|value| document.boolean("labels", value));
    let permitted = table.get("label-groups");
    match (labels.filter(|_| is_on == Some(true)), permitted) {
        (Some(labels), Some(value)) => {
            let groups = label_groups(document, value, groups);
            let with = groups.map(|groups| settings.clone().with_label_groups(groups));
            let with = with.and_then(|with| document.check(with, value.span()));
            settings = with.unwrap_or(settings).located(document.at(&labels.span()));
        }
        (Some(labels), None) => {
            let issue = Issue::new("`labels = true` needs `label-groups`");
            let help = "list the groups under `[sources]` that containers may allow, as in \
                        `label-groups = [\"office\"]`";
            document.missing_error(labels.span(), issue.help(help));
        }
        (None, Some(value)) => {
            let issue = Issue::new("`label-groups` has no effect without `labels = true`");
            document.error(value.span(), issue.help("add `labels = true`, or remove it"));
        }
        (None, None) => {}
    }
    settings
}

fn label_groups(document: &mut Document, value: &Value, groups: &Groups) -> Option<Vec<Group>> {
    groups.named_by(document, "label-groups", value, PolicyError::EmptyLabelGroups)
}
