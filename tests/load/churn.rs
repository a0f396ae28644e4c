//! Containers that are started and removed.

use super::run::Load;
use super::support::Docker;

/// A container with ports of its own, so that Docker rewrites its rules but keeps those of the
/// clients' port.
const START: [&str; 10] = [
    "run",
    "--detach",
    "--name=passing",
    "-p",
    "8090:80",
    "-p",
    "8090:80/udp",
    "image",
    "sleep",
    "1000",
];
const REMOVE: [&str; 3] = ["rm", "--force", "passing"];

/// Starts and removes a container repeatedly until the load ends.
pub fn start_and_remove_containers(docker: &Docker, load: &Load) {
    while !load.is_over() {
        for command in [&START[..], &REMOVE] {
            load.tally.command(&docker.try_client(command));
        }
    }
}
