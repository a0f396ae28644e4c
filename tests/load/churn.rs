//! Containers that come and go.

use super::run::Load;
use super::support::Docker;

/// Ports of their own, so that Docker rewrites its rules and moves nobody else's.
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

/// Starts a container and removes it until the load is over.
pub fn start_and_remove_containers(docker: &Docker, load: &Load) {
    while !load.is_over() {
        for command in [&START[..], &REMOVE] {
            load.tally.command(&docker.try_client(command));
        }
    }
}
