//! A small HTTP/1.1 server for metrics: one answer per connection, and it never blocks its caller.

mod client;
mod listener;
mod request;
mod response;
mod server;

pub use listener::Listener;
pub use server::Server;
