//! The image of all containers.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::busybox;
use super::command::output;

/// Creates an archive in this directory that contains only busybox, and returns its path.
pub fn archive(directory: &Path) -> String {
    let (root, archive) = (directory.join("root"), directory.join("image.tar"));
    let bin = root.join("bin");
    fs::create_dir_all(&bin).expect("a directory");
    fs::copy(busybox(), bin.join("busybox")).expect("to copy busybox");
    for applet in ["cat", "nc", "sh", "sleep"] {
        symlink("busybox", bin.join(applet)).expect("a link");
    }
    let [root, archive] = [root, archive].map(|path| path.to_string_lossy().into_owned());
    output(&["tar", "-C", &root, "-cf", &archive, "."], "").succeeded();
    archive
}
