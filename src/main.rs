//! argv → one verb → exit status.

fn main() {}
