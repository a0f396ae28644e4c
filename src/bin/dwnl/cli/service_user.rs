//! `check --as-service`: reads the policy as the services do, to find files that they cannot read.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, bail};
use dwnl::model::Location;
use dwnl::policy::{Diagnostic, Diagnostics, LoadedPolicy};
use nix::sys::stat::Mode;
use nix::unistd::{User, geteuid, initgroups, setresgid, setresuid};

use super::capabilities;

/// The user of the services, and the one of `docker-start-pre` where that does not exist.
const USERS: [&str; 2] = ["dwnl", "nobody"];

/// Directories that `ProtectHome=yes` and `PrivateTmp=yes` hide from the services, with the setting.
const HIDDEN: [(&str, &str); 5] = [
    ("/home", "ProtectHome=yes"),
    ("/root", "ProtectHome=yes"),
    ("/run/user", "ProtectHome=yes"),
    ("/tmp", "PrivateTmp=yes"),
    ("/var/tmp", "PrivateTmp=yes"),
];

/// Changes the process to the user of this name for good, without capabilities; by default to the user
/// of the services.
///
/// # Errors
/// If the user does not exist, or the process may not change its user.
pub fn become_user(name: Option<&str>) -> anyhow::Result<()> {
    let names: &[&str] = name.as_ref().map_or(&USERS, std::slice::from_ref);
    let mut users = names.iter().filter_map(|name| User::from_name(name).ok().flatten());
    let Some(user) = users.next() else { bail!("user {} does not exist", names.join(" or ")) };
    if geteuid() != user.uid {
        let groups = CString::new(user.name.as_str()).context("the name of the user")?;
        initgroups(&groups, user.gid)
            .and_then(|()| setresgid(user.gid, user.gid, user.gid))
            .and_then(|()| setresuid(user.uid, user.uid, user.uid))
            .with_context(|| format!("cannot become user {}: run dwnl as root", user.name))?;
    }
    capabilities::drop_all()
}

/// Whether the permission bits let the user of the services read a file; `None` if the package did not
/// create that user, or the file does not exist.
pub fn may_read(path: &Path) -> Option<bool> {
    let user = User::from_name(USERS[0]).ok().flatten()?;
    let file = fs::metadata(path).ok()?;
    let read = match () {
        () if file.uid() == user.uid.as_raw() => Mode::S_IRUSR,
        () if file.gid() == user.gid.as_raw() => Mode::S_IRGRP,
        () => Mode::S_IROTH,
    };
    Some(Mode::from_bits_truncate(file.mode()).contains(read))
}

/// Turns a policy into errors if the sandbox of the services hides one of its files.
pub fn check_sandbox(loaded: &mut LoadedPolicy) {
    let hidden: Vec<Diagnostic> =
        loaded.watch_paths.iter().filter_map(|path| hidden(path)).collect();
    if hidden.is_empty() {
        return;
    }
    match &mut loaded.policy {
        Ok(_) => loaded.policy = Err(Diagnostics(hidden)),
        Err(errors) => errors.0.extend(hidden),
    }
}

/// The error about a file that the sandbox hides by the path itself or by the target of a link.
fn hidden(path: &Path) -> Option<Diagnostic> {
    if path == Path::new("-") {
        return None;
    }
    let paths = [std::path::absolute(path).ok(), fs::canonicalize(path).ok()];
    let (directory, setting) = paths.iter().flatten().find_map(|path| hiding(path.as_path()))?;
    let file = path.to_string_lossy();
    Some(Diagnostic {
        at: Location { file: file.as_ref().into(), line: 1, column: 1 },
        message: format!("cannot read {file}: {setting} hides {directory} from the services"),
        help: Some("move the file to /etc/dwnl".to_owned()),
        excerpt: String::new(),
        width: 1,
    })
}

fn hiding(path: &Path) -> Option<(&'static str, &'static str)> {
    HIDDEN.into_iter().find(|(directory, _)| path.starts_with(directory))
}
