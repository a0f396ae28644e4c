//! The `[docker]` table: where Docker's API is, and what containers may decide by their labels.

use std::path::{Path, PathBuf};

use super::{Group, PolicyError};
use crate::model::Location;

/// The `[docker]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerSettings {
    socket: PathBuf,
    label_groups: Option<Vec<Group>>,
    at: Option<Location>,
}

impl DockerSettings {
    /// The socket without the key `socket`.
    pub const SOCKET: &str = "/run/docker.sock";

    /// The Unix socket of Docker's API, an absolute path.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The groups that containers may allow by their labels, at least one, each with a name; `None`: labels
    /// are not read.
    pub fn label_groups(&self) -> Option<&[Group]> {
        self.label_groups.as_deref()
    }

    /// The same groups, to replace them.
    pub(super) fn groups_mut(&mut self) -> impl Iterator<Item = &mut Group> {
        self.label_groups.iter_mut().flatten()
    }

    /// Where the labels are permitted; `None` if it was not read from a file.
    pub(super) fn at(&self) -> Option<&Location> {
        self.at.as_ref()
    }

    /// The same table with this socket.
    ///
    /// # Errors
    /// [`PolicyError::InvalidSocket`] if the path is not absolute, or too long for a Unix socket.
    pub fn with_socket(self, socket: &Path) -> Result<DockerSettings, PolicyError> {
        // The path and its NUL fit into `sun_path`, which has 108 bytes (linux/un.h).
        let length = socket.as_os_str().len();
        if !socket.is_absolute()
            || length > 107
            || socket.as_os_str().as_encoded_bytes().contains(&0)
        {
            return Err(PolicyError::InvalidSocket(socket.to_string_lossy().into()));
        }
        Ok(DockerSettings { socket: socket.to_owned(), ..self })
    }

    /// The same table, in which containers may allow the sources of these groups by their labels.
    ///
    /// # Errors
    /// [`PolicyError::EmptyLabelGroups`] if there are none, or one without a name.
    pub fn with_label_groups(
        self,
        groups: impl IntoIterator<Item = Group>,
    ) -> Result<DockerSettings, PolicyError> {
        let groups: Vec<Group> = groups.into_iter().collect();
        if groups.is_empty() || groups.iter().any(|group| group.name().is_none()) {
            return Err(PolicyError::EmptyLabelGroups);
        }
        Ok(DockerSettings { label_groups: Some(groups), ..self })
    }

    /// The same table, read at this position.
    #[must_use]
    pub(super) fn located(self, at: Location) -> DockerSettings {
        DockerSettings { at: Some(at), ..self }
    }
}

impl Default for DockerSettings {
    fn default() -> DockerSettings {
        DockerSettings { socket: DockerSettings::SOCKET.into(), label_groups: None, at: None }
    }
}
