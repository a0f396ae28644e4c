//! The policy file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Mix, Workload, write};

/// The forms of a policy with the same sources.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// They are allowed, and there is no guard, as with the peers.
    Plain,
    /// They are allowed, with the guard, which is on by default.
    Guarded,
    /// They are denied, with the guard.
    Denied,
}

impl Workload {
    /// Writes the policy and the file of its sources, and returns the path of the policy.
    pub fn write_policy(&self, directory: &Path, name: &str, form: Form) -> Result<PathBuf> {
        let mut text = match form {
            Form::Plain => "[guard]\nenabled = false\n".to_owned(),
            Form::Guarded | Form::Denied => String::new(),
        };
        if self.mix == Mix::Scattered {
            self.write_entries(&mut text);
            return write(directory, &format!("{name}.toml"), &text);
        }
        let list: String = self.sources.iter().map(|source| format!("{source}\n")).collect();
        write(directory, &format!("{name}.txt"), &list)?;
        let ports: Vec<String> = self.ports.iter().map(|port| self.quoted(*port)).collect();
        let ports = ports.join(", ");
        let _ = write!(text, "[sources]\npeers = {{ file = \"{name}.txt\" }}\n\n");
        let _ = match form {
            Form::Denied => write!(
                text,
                "[[deny]]\nname = \"web\"\nfrom = [\"peers\"]\n\n[[allow]]\nports = [{ports}]\n"
            ),
            _ => write!(text, "[[allow]]\nname = \"web\"\nports = [{ports}]\nfrom = [\"peers\"]\n"),
        };
        write(directory, &format!("{name}.toml"), &text)
    }

    /// An entry for each port.
    fn write_entries(&self, text: &mut String) {
        for (source, port) in self.sources.iter().zip(&self.ports) {
            let ports = self.quoted(*port);
            let _ = write!(
                text,
                "[[allow]]\nname = \"port {port}\"\nports = [{ports}]\nfrom = [\"{source}\"]\n\n"
            );
        }
    }

    fn quoted(&self, port: u16) -> String {
        format!("\"{port}/{}\"", self.protocol)
    }
}
