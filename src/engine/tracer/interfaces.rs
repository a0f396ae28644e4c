//! The names of the interfaces that traced packets come in and go out by.

use std::collections::HashMap;

use super::super::connection::Connection;
use super::super::error::open_error;
use super::super::host::dumped_links;
use super::Error;
use crate::model::{Name, TraceMessage};
use crate::netlink::Socket;

/// The names by number. They are read when a number is not known yet.
pub struct Interfaces {
    routes: Connection,
    names: HashMap<u32, Name>,
}

impl Interfaces {
    /// Opens a socket to rtnetlink in the calling thread's network namespace.
    pub fn open() -> Result<Interfaces, Error> {
        let socket = Socket::open_routes().map_err(open_error)?;
        Ok(Interfaces { routes: Connection::new(Box::new(socket)), names: HashMap::new() })
    }

    /// Reads the names again if the message has an interface without a name.
    pub fn learn(&mut self, message: &TraceMessage) -> Result<(), Error> {
        let Some(state) = &message.packet else { return Ok(()) };
        for index in [state.in_interface, state.out_interface].into_iter().flatten() {
            if !self.names.contains_key(&index) {
                let links = dumped_links(&mut self.routes)?;
                self.names.extend(links.into_iter().map(|link| (link.index, link.name)));
                // It may not exist any more.
                self.names.entry(index).or_insert_with(|| unnamed(index));
            }
        }
        Ok(())
    }

    /// The name of an interface.
    pub fn name(&self, index: u32) -> Name {
        self.names.get(&index).cloned().unwrap_or_else(|| unnamed(index))
    }
}

fn unnamed(index: u32) -> Name {
    format!("interface {index}").into()
}
