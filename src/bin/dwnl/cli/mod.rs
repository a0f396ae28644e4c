//! The command line: arguments, commands, capabilities and the console.

mod args;
mod capabilities;
mod commands;
mod console;
mod doctor;
mod explain;
mod grant_args;
mod grants;
mod import;
mod normalize;
mod refused;
mod service_user;
mod source_list;
mod spinner;
mod status;
mod trace;
mod trial;

pub use args::Cli;
#[cfg(feature = "dns")]
pub use capabilities::drop_all as drop_capabilities;
pub use commands::run;
pub use console::{Console, FAILED, INVALID};
