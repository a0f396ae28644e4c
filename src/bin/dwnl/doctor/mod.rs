//! `dwnl doctor`: facts about the host are gathered without changing anything and without starting a
//! process, and each check is a function from these facts to findings.

mod checks;
mod facts;

pub use checks::diagnose;
pub use facts::{Comparison, DockerProcesses, Facts, Files, Kernel, Own, PolicyFile, Sysctls};
